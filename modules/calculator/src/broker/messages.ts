import { type Delivery, MessageError, PoisonMessageError } from '@headrace/inbox'
import type { NewMessage } from '@headrace/log'
import { v7 } from 'uuid'
import { calculatorTopics, type WorkerTask } from '../contract.ts'
import type { Operation } from '../domain/graph.ts'
import type { Answer, Lease, Start } from '../store/tasks.ts'

/** An expression to compute, as it stands on `calc.tasks`. */
export interface TaskMessage {
  /** Left out by producers that have no row for it. */
  readonly exprId: number | undefined
  readonly userId: number
  readonly expression: string
}

/** A leased task as it stands on `calc.work`. */
export type WorkMessage = WorkerTask & { readonly expr_id: number; readonly task_id: string }

/** What a worker says on `calc.results`. */
export type ResultMessage =
  | { readonly kind: 'started'; readonly start: Start }
  /** It is not computed there: others may have it at once. */
  | { readonly kind: 'released'; readonly release: Lease }
  | { readonly kind: 'answer'; readonly answer: Answer }

export function taskMessage(id: number, userId: number, expression: string): NewMessage {
  return message(calculatorTopics.tasks, String(userId), { expr_id: id, user_id: userId, expression })
}

export function workMessage(task: WorkerTask, expressionId: number): NewMessage {
  return message(calculatorTopics.work, task.id, { expr_id: expressionId, task_id: task.id, ...task })
}

/** `told` is one of `{"started":true,"worker"}`, `{"result"}`, `{"error"}` and `{"released":true}`. */
export function resultMessage({ expr_id, task_id, lease }: WorkMessage, told: object): NewMessage {
  return message(calculatorTopics.results, String(expr_id), { expr_id, task_id, lease, ...told })
}

function message(topic: string, key: string, body: object): NewMessage {
  return { topic, id: v7(), key, type: topic, headers: {}, body: Buffer.from(JSON.stringify(body)) }
}

export function readTask(delivery: Delivery): TaskMessage {
  const { expr_id: exprId, user_id: userId, expression } = fieldsOf(delivery)
  if (!isId(userId)) throw poison(delivery, 'user_id is no positive whole number')
  if (exprId !== undefined && !isId(exprId)) throw poison(delivery, 'expr_id is no positive whole number')
  if (typeof expression !== 'string') throw poison(delivery, 'expression is no text')
  return { exprId, userId, expression }
}

export function readWork(delivery: Delivery): WorkMessage {
  const fields = fieldsOf(delivery)
  const { expr_id, task_id, lease, operation, arg1, arg2, operation_time } = fields
  const isComplete =
    isId(expr_id) &&
    isUuid(task_id) &&
    isUuid(lease) &&
    isOperation(operation) &&
    [arg1, arg2, operation_time].every((value) => typeof value === 'number')
  if (!isComplete) throw poison(delivery, 'is no task')
  // Checked above, as far as it is used.
  return fields as unknown as WorkMessage
}

export function readResult(delivery: Delivery): ResultMessage {
  const { task_id: taskId, lease, started, released, worker, result, error } = fieldsOf(delivery)
  if (!isUuid(taskId)) throw poison(delivery, 'task_id is no UUID')
  if (lease !== undefined && !isUuid(lease)) throw poison(delivery, 'lease is no UUID')
  if (started === true || released === true) {
    if (lease === undefined) throw poison(delivery, 'lease is missing')
    if (released === true) return { kind: 'released', release: { taskId, lease } }
    return {
      kind: 'started',
      start: { taskId, lease, worker: typeof worker === 'string' ? worker.slice(0, 100) : null },
    }
  }
  const held = lease === undefined ? {} : { lease }
  if (typeof error === 'string' && error !== '') {
    return { kind: 'answer', answer: { taskId, ...held, outcome: { kind: 'failed', reason: error.slice(0, 500) } } }
  }
  if (typeof result !== 'number' || !Number.isFinite(result)) throw poison(delivery, 'result is not a number')
  return { kind: 'answer', answer: { taskId, ...held, outcome: { kind: 'value', value: result } } }
}

function fieldsOf(delivery: Delivery): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(delivery.body))
  } catch (error) {
    throw poison(delivery, 'is no JSON in UTF-8', error)
  }
  if (typeof value !== 'object' || value === null) throw poison(delivery, 'is no JSON object')
  // PostgreSQL stores neither, and no number or name of ours has them.
  if (Object.values(value).some((field) => typeof field === 'string' && !isStorable(field))) {
    throw poison(delivery, 'holds NUL or a lone surrogate')
  }
  // Any object has these fields, perhaps undefined.
  return value as Readonly<Record<string, unknown>>
}

function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed()
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) > 0
}

function isOperation(value: unknown): value is Operation {
  return value === '+' || value === '-' || value === '*' || value === '/'
}

function isUuid(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)
}

function poison(delivery: Delivery, reason: string, cause?: unknown): MessageError {
  const what = `message ${delivery.id} of ${delivery.topic} ${reason}`
  return new MessageError(delivery.id, new PoisonMessageError(what, cause))
}
