import type { Queryable } from '@headrace/database'
import type { Graph, Operand, Operation } from '../domain/graph.ts'
import { knownValue, type Plan } from '../domain/plan.ts'
import { numberText } from './expressions.ts'

/** The tasks of an expression, to be inserted. */
export interface NewTasks {
  readonly expressionId: number
  readonly graph: Graph
  readonly plan: Plan
  /** The id of each task. */
  readonly ids: readonly string[]
}

/** Inserts the tasks of several expressions; those that know their arguments are ready. */
export async function insertTasks(tx: Queryable, expressions: readonly NewTasks[]): Promise<void> {
  const tasks = expressions.flatMap((of) => of.graph.steps.map((step, seq) => ({ of, step, seq })))
  if (tasks.length === 0) return
  const sources = (side: 'left' | 'right') => tasks.map(({ step }) => sourceOf(step[side]))
  await tx.query({
    name: 'calculator.insert-tasks',
    text: `insert into calculator.task (expression_id, seq, id, operation, arg1, arg2, source1, source2, negated1, negated2,
               waiters, rank, status)
           select expression_id, seq, id, operation::"char", arg1, arg2, source1, source2, negated1, negated2,
               waiters::int[], (extract(epoch from now()) * 1000)::bigint + turn,
               case when source1 is null and source2 is null then 'ready' else 'waiting' end
           from unnest($1::bigint[], $2::int[], $3::uuid[], $4::text[], $5::float8[], $6::float8[], $7::int[], $8::int[],
               $9::boolean[], $10::boolean[], $11::text[], $12::int[])
             as new(expression_id, seq, id, operation, arg1, arg2, source1, source2, negated1, negated2, waiters, turn)`,
    values: [
      tasks.map(({ of }) => of.expressionId),
      tasks.map(({ seq }) => seq),
      tasks.map(({ of, seq }) => of.ids[seq]),
      tasks.map(({ step }) => step.operation),
      tasks.map(({ step }) => argument(step.left)),
      tasks.map(({ step }) => argument(step.right)),
      sources('left'),
      sources('right'),
      tasks.map(({ step }) => isNegated(step.left)),
      tasks.map(({ step }) => isNegated(step.right)),
      tasks.map(({ of, seq }) => `{${of.plan.waiters[seq]?.join(',') ?? ''}}`),
      tasks.map(({ of, seq }) => of.plan.turns[seq]),
    ],
  })
}

function sourceOf(operand: Operand): number | null {
  return operand.kind === 'result' ? operand.of : null
}

function isNegated(operand: Operand): boolean {
  return operand.kind === 'result' && operand.negated
}

function argument(operand: Operand): string | null {
  const value = knownValue(operand)
  return value === undefined ? null : numberText(value)
}

/** What a worker says about a task. */
export interface Answer {
  readonly taskId: string
  readonly lease?: string
  readonly outcome:
    | { readonly kind: 'value'; readonly value: number }
    | { readonly kind: 'failed'; readonly reason: string }
}

export type Verdict = 'counted' | 'repeated' | 'stale' | 'unknown'

export interface Judged {
  readonly taskId: string
  readonly verdict: Verdict
  readonly expressionId: number | null
}

/** Counts answers, at most one for each task; see `answer_tasks`. `readied`: tasks that have become ready. */
export async function answerTasks(
  tx: Queryable,
  answers: readonly Answer[],
): Promise<{ readonly judged: readonly Judged[]; readonly readied: number }> {
  interface Row {
    readonly id: string
    readonly verdict: Verdict
    readonly expression_id: number | null
    readonly readied: number
  }
  const { rows } = await tx.query<Row>({
    name: 'calculator.answer-tasks',
    text: 'select id, verdict, expression_id::float8, readied::int from calculator.answer_tasks($1, $2, $3, $4)',
    values: answerColumns(answers),
  })
  const judged = rows.map(({ id, verdict, expression_id }) => ({ taskId: id, verdict, expressionId: expression_id }))
  return { judged, readied: rows[0]?.readied ?? 0 }
}

/** Answers as arrays: tasks, leases, results, errors. */
export function answerColumns(
  answers: readonly Answer[],
): [string[], (string | null)[], (string | null)[], (string | null)[]] {
  return [
    answers.map(({ taskId }) => taskId),
    answers.map(({ lease }) => lease ?? null),
    answers.map(({ outcome }) => (outcome.kind === 'value' ? numberText(outcome.value) : null)),
    answers.map(({ outcome }) => (outcome.kind === 'failed' ? outcome.reason : null)),
  ]
}

/** Rounds with at most one answer for each task, in order. */
export function oneForEachTask<A extends Answer>(answers: readonly A[]): A[][] {
  const rounds: A[][] = []
  const counts = new Map<string, number>()
  for (const answer of answers) {
    const round = counts.get(answer.taskId) ?? 0
    counts.set(answer.taskId, round + 1)
    rounds[round] ??= []
    rounds[round].push(answer)
  }
  return rounds
}

/** How long leases hold, in ms. */
export interface LeaseTimes {
  /** Beside the time of the operation. */
  readonly leaseMs: number
  /** The simulated time of each operation. */
  readonly operationMs: Readonly<Record<Operation, number>>
}

const operations: readonly Operation[] = ['+', '-', '*', '/']

/** The times of all operations, in the order in which functions take them. */
export function timesOf({ operationMs }: LeaseTimes): number[] {
  return operations.map((operation) => operationMs[operation])
}

/** A worker that can take one task, and the lease that it would get. */
export interface Slot {
  readonly worker: string | null
  readonly lease: string
}

export interface ClaimedTask {
  readonly id: string
  readonly lease: string
  readonly expressionId: number
  readonly userId: number
  readonly operation: Operation
  readonly arg1: number
  readonly arg2: number
  /** The slot that got it, from 0. */
  readonly slot: number
}

/** Leases ready tasks to the first slots; `isStarted` says that whoever gets one begins at once. */
export async function claimTasks(
  tx: Queryable,
  slots: readonly Slot[],
  times: LeaseTimes & { readonly isStarted: boolean },
): Promise<readonly ClaimedTask[]> {
  interface Row extends Omit<ClaimedTask, 'expressionId' | 'userId' | 'slot'> {
    readonly expression_id: number
    readonly user_id: number
    readonly place: number
  }
  const { rows } = await tx.query<Row>({
    name: 'calculator.claim-tasks',
    text: `select id, lease, expression_id::float8, user_id::float8, operation, arg1, arg2, place::int
             from calculator.claim_tasks($1::text[], $2::uuid[], $3::float8, $4::float8[], $5::boolean)`,
    values: [
      slots.map(({ worker }) => worker),
      slots.map(({ lease }) => lease),
      times.leaseMs,
      timesOf(times),
      times.isStarted,
    ],
  })
  return rows.map(({ expression_id, user_id, place, ...task }) => ({
    ...task,
    expressionId: expression_id,
    userId: user_id,
    slot: place - 1,
  }))
}

export interface Start {
  readonly taskId: string
  readonly lease: string
  readonly worker: string | null
}

/** Says that leased tasks were started; see `start_tasks`. */
export async function startTasks(tx: Queryable, starts: readonly Start[], times: LeaseTimes): Promise<void> {
  await tx.query({
    name: 'calculator.start-tasks',
    text: 'select calculator.start_tasks($1::uuid[], $2::uuid[], $3::text[], $4::float8, $5::float8[])',
    values: [
      starts.map(({ taskId }) => taskId),
      starts.map(({ lease }) => lease),
      starts.map(({ worker }) => worker),
      times.leaseMs,
      timesOf(times),
    ],
  })
}

/** Leased tasks: those that were started, and those that still wait for it. */
export async function countLeased(tx: Queryable): Promise<{ readonly started: number; readonly offered: number }> {
  const { rows } = await tx.query<{ started: number; offered: number }>({
    name: 'calculator.count-leased',
    replan: true,
    text: `select count(started_at)::int as started, (count(*) - count(started_at))::int as offered
             from calculator.task where status = 'running'`,
  })
  return rows[0] ?? { started: 0, offered: 0 }
}

/** Tasks that can be leased, and those that are. */
export async function countByState(database: Queryable): Promise<{ readonly ready: number; readonly running: number }> {
  const { rows } = await database.query<{ ready: number; running: number }>({
    name: 'calculator.count-by-state',
    replan: true,
    text: `select (select count(*)::int from calculator.task where status = 'ready') as ready,
             (select count(*)::int from calculator.task where status = 'running') as running`,
  })
  return rows[0] ?? { ready: 0, running: 0 }
}

/** Locks the expressions of tasks, in order, before several statements change them. */
export async function lockExpressions(tx: Queryable, taskIds: readonly string[]): Promise<void> {
  await tx.query({
    name: 'calculator.lock-expressions',
    text: 'select calculator.lock_expressions($1::uuid[])',
    values: [taskIds],
  })
}

/** A worker's hold on a task. */
export interface Lease {
  readonly taskId: string
  readonly lease: string
}

/** Those that are leased otherwise by now, finished or cancelled; what this database does not know is not told. */
export async function lostTasks(database: Queryable, leases: readonly Lease[]): Promise<readonly string[]> {
  const { rows } = await database.query<{ id: string }>({
    name: 'calculator.lost-tasks',
    text: `select t.id from unnest($1::uuid[], $2::uuid[]) as held(id, lease)
             join calculator.task t on t.id = held.id and ((t.lease = held.lease) is not true or t.status <> 'running')`,
    values: [leases.map(({ taskId }) => taskId), leases.map(({ lease }) => lease)],
  })
  return rows.map(({ id }) => id)
}

/** Gives leased tasks back; returns how many are ready again. */
export async function releaseTasks(tx: Queryable, leases: readonly Lease[]): Promise<number> {
  const { rows } = await tx.query<{ readied: number }>({
    name: 'calculator.release-tasks',
    text: 'select calculator.release_tasks($1::uuid[], $2::uuid[])::int as readied',
    values: [leases.map(({ taskId }) => taskId), leases.map(({ lease }) => lease)],
  })
  return rows[0]?.readied ?? 0
}

export interface TakenTask {
  readonly taskId: string
  readonly status: 'ready' | 'failed'
}

/** Takes tasks back whose lease has run out; see `take_back`. Returns them with what they have become. */
export async function takeBack(
  tx: Queryable,
  maxKills: number,
  mostExpressions: number,
): Promise<readonly TakenTask[]> {
  const { rows } = await tx.query<TakenTask>({
    name: 'calculator.take-back',
    text: 'select id as "taskId", status from calculator.take_back($1, $2)',
    values: [maxKills, mostExpressions],
  })
  return rows
}

/** Removes tasks of expressions that have ended; see `sweep_tasks`. Returns how many expressions had any. */
export async function sweepTasks(database: Queryable, keptMs: number, mostTasks: number): Promise<number> {
  const { rows } = await database.query<{ swept: number }>({
    name: 'calculator.sweep-tasks',
    text: 'select calculator.sweep_tasks($1, $2)::int as swept',
    values: [keptMs, mostTasks],
  })
  return rows[0]?.swept ?? 0
}

export interface TaskRow {
  readonly seq: number
  readonly id: string
  readonly operation: Operation
  readonly arg1: number | null
  readonly arg2: number | null
  readonly source1: number | null
  readonly source2: number | null
  readonly status: 'waiting' | 'ready' | 'running' | 'done' | 'failed' | 'cancelled'
  readonly result: number | null
  readonly worker: string | null
  readonly started_at: Date | null
  readonly finished_at: Date | null
  /** The ids of the tasks at `source1` and `source2`. */
  readonly id1: string | null
  readonly id2: string | null
}

const taskColumns = `t.seq, t.id, t.operation, t.arg1, t.arg2, t.source1, t.source2, t.status, t.result, t.worker,
  t.started_at, t.finished_at`

/** All tasks of an expression, in the order of its graph. */
export async function tasksOf(database: Queryable, expressionId: number): Promise<readonly TaskRow[]> {
  const { rows } = await database.query<Omit<TaskRow, 'id1' | 'id2'>>({
    name: 'calculator.tasks-of',
    replan: true,
    text: `select ${taskColumns} from calculator.task t where t.expression_id = $1 order by t.seq`,
    values: [expressionId],
  })
  const idOf = (seq: number | null) => (seq === null ? null : (rows[seq]?.id ?? null))
  return rows.map((row) => ({ ...row, id1: idOf(row.source1), id2: idOf(row.source2) }))
}

/** A task with what has to be known to tell its expression's owner. */
export interface ToldTaskRow extends TaskRow {
  readonly expression_id: number
  readonly user_id: number
  readonly is_ended: boolean
}

/** These tasks and those that wait for their results. */
export async function tasksAround(database: Queryable, taskIds: readonly string[]): Promise<readonly ToldTaskRow[]> {
  const { rows } = await database.query<ToldTaskRow>({
    name: 'calculator.tasks-around',
    replan: true,
    text: `with changed as (
             select expression_id, seq, waiters from calculator.task where id = any ($1::uuid[])
           ), touched as (
             select expression_id, seq from changed
             union select expression_id, waiter >> 1 from changed cross join unnest(waiters) as w(waiter)
           )
           select ${taskColumns}, s1.id as id1, s2.id as id2, t.expression_id::float8, e.user_id::float8,
               e.status in ('done', 'failed') as is_ended
             from touched join calculator.task t using (expression_id, seq)
             join calculator.expression e on e.id = t.expression_id
             left join calculator.task s1 on s1.expression_id = t.expression_id and s1.seq = t.source1
             left join calculator.task s2 on s2.expression_id = t.expression_id and s2.seq = t.source2
             order by t.expression_id, t.seq`,
    values: [taskIds],
  })
  return rows
}
