import { hasCode, messageOf, PlatformError } from '@headrace/runtime'
import type { Message } from '@headrace/transport'
import { Pool } from 'undici'
import { ownerField } from '../routes/enqueue.ts'
import { decodeBody } from '../wire/queue-body.ts'
import { ownerHeader } from '../wire/queue-message.ts'
import type { Intake } from './intake.ts'

export interface RemoteIntakeNeeds {
  /** Base addresses of the processors, e.g. `http://localhost:8082`. */
  readonly urls: readonly string[]
  readonly internalToken?: string | undefined
  /** Longest time for an answer in ms; then the outcome is unknown. */
  readonly timeoutMs?: number
}

const defaultTimeoutMs = 5_000

/** Hands messages over to the process that runs the processor, into its memory. Stopped by `close`. */
export interface RemoteIntake extends Intake {
  close(): Promise<void>
}

/** Accepts by `POST <processor>/enqueue`. A processor that refuses the connection is passed over for the next one. */
export function remoteIntake(needs: RemoteIntakeNeeds): RemoteIntake {
  const timeoutMs = needs.timeoutMs ?? defaultTimeoutMs
  // A connection for each request, so that none queues and its time limit runs from the beginning; ingest bounds them.
  const limits = { connections: null, connect: { timeout: timeoutMs } }
  const pools = needs.urls.map((url) => new Pool(new URL(url).origin, limits))
  const common = {
    'content-type': 'application/json',
    ...(needs.internalToken === undefined ? {} : { authorization: `Bearer ${needs.internalToken}` }),
  }
  let turn = 0

  async function post(pool: Pool, body: string, messages: readonly Message[]): Promise<void> {
    // The messages of one request are of one sender.
    const owner = messages[0]?.headers[ownerHeader]
    const headers = owner === undefined ? common : { ...common, [ownerField]: owner }
    const times = { headersTimeout: timeoutMs, bodyTimeout: timeoutMs }
    const answer = await pool
      .request({ method: 'POST', path: '/enqueue', headers, body, ...times })
      .catch((error: unknown) => Promise.reject(sendError(error, messages)))
    const text = await answer.body.text().catch(() => '')
    if (answer.statusCode !== 202) throw refusal(answer.statusCode, text, messages)
  }

  return {
    durability: 'memory',
    async accept({ messages }) {
      const body = JSON.stringify(messages.map(toJson))
      const start = turn++
      for (let tries = 1; ; tries += 1) {
        const pool = pools[(start + tries) % pools.length] as Pool // there is at least one
        try {
          return await post(pool, body, messages)
        } catch (error) {
          if (tries >= pools.length || !hasCode(error, 'QUEUE_UNAVAILABLE')) throw error
        }
      }
    },
    async drain() {},
    async close() {
      await Promise.all(pools.map((pool) => pool.close()))
    },
  }
}

function toJson(message: Message) {
  const { payload, ...rest } = decodeBody(message)
  return { ...rest, payload: Buffer.from(payload).toString('base64') }
}

/** Errors of connecting: nothing was sent. */
const neverSent = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT']

function sendError(cause: unknown, messages: readonly Message[]): PlatformError {
  if (codesOf(cause).some((code) => neverSent.includes(code))) {
    const text = 'the processor cannot be reached: nothing was accepted'
    return new PlatformError('QUEUE_UNAVAILABLE', text, { cause })
  }
  return unknown(`the processor’s answer is missing: ${messageOf(cause)}`, messages, cause)
}

/** Several addresses of one name fail together. */
function codesOf(error: unknown): string[] {
  if (error instanceof AggregateError) return error.errors.flatMap(codesOf)
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? [code] : []
}

function refusal(status: number, text: string, messages: readonly Message[]): PlatformError {
  const code = codeOf(text)
  if (code === 'queue_full')
    return new PlatformError('QUEUE_FULL', 'the processor’s queue is full: nothing was accepted')
  if (code === 'message_too_large')
    return new PlatformError('MESSAGE_TOO_LARGE', 'the message is too large for the processor')
  const said = `the processor answered ${status} ${code}`
  // From 500 on only these two say that nothing was accepted.
  if (status < 500 || code === 'queue_unavailable') return new PlatformError('QUEUE_UNAVAILABLE', said)
  return unknown(said, messages)
}

function codeOf(text: string): string {
  try {
    const { code } = JSON.parse(text) as { readonly code?: unknown }
    return typeof code === 'string' ? code : ''
  } catch {
    return ''
  }
}

function unknown(text: string, messages: readonly Message[], cause?: unknown): PlatformError {
  const details = { messageId: messages[0]?.id, providers: ['memory'] }
  return new PlatformError('OUTCOME_UNKNOWN', text, { details, cause })
}
