/** What a contender is asked to do with each message. */
export interface Task {
  readonly url: string
  /** `effect`: one row is inserted for each message. `none`: the handler does nothing. */
  readonly effect: boolean
  /** `batch`: as many at once as the contender likes. `single`: one message a handler call and a transaction. */
  readonly mode: 'batch' | 'single'
  /** `latency`: handled messages are reported when their handler starts, else when their handling is recorded. */
  readonly measure: 'throughput' | 'latency'
  readonly onHandled: (ids: readonly string[]) => void
}

/** A queue under test, in a process of its own. */
export interface Contender {
  readonly name: string
  /** Says what the figures mean: whether effect and completion are one transaction. */
  readonly atomic: boolean
  start(task: Task): Promise<RunningContender>
}

export interface RunningContender {
  /** Enqueues messages in bulk, as fast as the contender can. */
  load(ids: readonly string[]): Promise<void>
  /** Enqueues one message and returns when that is durable. */
  send(id: string): Promise<void>
  consume(): Promise<void>
  stop(): Promise<void>
}

/** The table that effects go to. */
export const effectTable = 'create table if not exists bench_effect (id text not null)'
export const payload = { text: 'x'.repeat(128) }
