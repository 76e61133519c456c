import { randomUUID } from 'node:crypto'
import { hasCode, messageOf, PlatformError } from '@headrace/runtime'
import type pg from 'pg'
import { sqlState, wrapDatabaseError } from './errors.ts'
import { markerStatement, withMarker } from './marker.ts'
import { streamOf, toQuery } from './pool.ts'
import type { Collector, Rows, Statement, Transaction, TransactionOptions } from './types.ts'

/** How a transaction ended that did not throw: committed, or with its answer lost and a marker to settle it by. */
export type TransactionOutcome<T> =
  | { readonly kind: 'committed'; readonly value: T }
  | { readonly kind: 'unknown'; readonly value: T; readonly markerId: string; readonly cause: unknown }

interface Collected {
  readonly collector: Collector<unknown>
  readonly items: unknown[]
}

/**
 * One transaction on one connection: BEGIN shares a flight with the first statements, and what was collected shares
 * the last flight with COMMIT. Where there is only what one collector has collected, its statement is the transaction:
 * a third of the messages to and from the server, which is most of what a gathered commit costs.
 */
export class TransactionRun implements Transaction {
  readonly #client: pg.ClientBase
  readonly #options: TransactionOptions
  readonly #onHookError: (error: Error) => void
  readonly #collected = new Map<string, Collected>()
  readonly #afterCommit: (() => void)[] = []
  #begun: Promise<unknown> | undefined
  #corked = false
  #failure: unknown
  #ended = false

  constructor(client: pg.ClientBase, options: TransactionOptions, onHookError: (error: Error) => void) {
    this.#client = client
    this.#options = options
    this.#onHookError = onHookError
  }

  query<R extends object>(statement: Statement): Promise<Rows<R>> {
    this.#requireRunning()
    this.#begun ??= this.#send({ text: 'begin' })
    return this.#send<R>(statement)
  }

  collect<Item, Row extends object>(collector: Collector<Item, Row>, item: Item): void {
    this.#requireRunning()
    const entry = this.#collected.get(collector.name)
    // Items of one name are of one collector's type; the map cannot say so.
    if (entry === undefined) {
      this.#collected.set(collector.name, { collector: collector as unknown as Collector<unknown>, items: [item] })
    } else entry.items.push(item)
  }

  afterCommit(action: () => void): void {
    this.#requireRunning()
    this.#afterCommit.push(action)
  }

  async execute<T>(work: (tx: Transaction) => Promise<T> | T, gone: Promise<never>): Promise<TransactionOutcome<T>> {
    let value: T
    try {
      // Work that waits for something else learns at once that the server has ended its transaction.
      value = await Promise.race([work(this), gone])
      this.#options.signal?.throwIfAborted()
      // Without a connection there is no COMMIT whose outcome could be in doubt.
      if (hasCode(this.#failure, 'DATABASE_UNAVAILABLE')) throw this.#failure
    } catch (error) {
      await this.#rollback()
      // A statement that was not awaited may be the real reason: after it all others fail with 25P02.
      throw sqlState(error) === '25P02' ? (this.#failure ?? error) : error
    }
    return this.#commit(value)
  }

  /** Tells collectors and hooks that the transaction is committed. One that throws undoes nothing and stops no other. */
  announce(rows: ReadonlyMap<string, readonly object[]> | undefined): void {
    for (const { collector, items } of this.#collected.values()) {
      this.#tell(() => collector.committed?.(items, rows?.get(collector.name)))
    }
    for (const action of this.#afterCommit) this.#tell(action)
  }

  #tell(hook: () => void): void {
    try {
      hook()
    } catch (error) {
      this.#onHookError(error instanceof Error ? error : new Error(messageOf(error)))
    }
  }

  #requireRunning(): void {
    if (this.#ended) throw new TypeError('the transaction has ended: await its work before its function returns')
  }

  #commit<T>(value: T): Promise<TransactionOutcome<T>> | TransactionOutcome<T> {
    this.#ended = true
    const closing = [...this.#collected.values()].sort((a, b) => a.collector.rank - b.collector.rank)
    const markerId = this.#options.settle ? randomUUID() : undefined
    const [only] = closing
    if (this.#begun === undefined && only === undefined) return this.#committed(value, [], [])
    if (this.#begun === undefined && only !== undefined && closing.length === 1)
      return this.#commitOne(value, only, markerId)
    return this.#commitAll(value, closing, markerId)
  }

  async #commitOne<T>(value: T, only: Collected, markerId: string | undefined): Promise<TransactionOutcome<T>> {
    const statement = only.collector.statement(only.items)
    const [written] = await Promise.allSettled([this.#send(markerId ? withMarker(statement, markerId) : statement)])
    if (written.status === 'rejected') return this.#lost(value, markerId, written.reason)
    return this.#committed(value, [only], [written.value.rows])
  }

  async #commitAll<T>(
    value: T,
    closing: readonly Collected[],
    markerId: string | undefined,
  ): Promise<TransactionOutcome<T>> {
    this.#begun ??= this.#send({ text: 'begin' })
    const marked = markerId === undefined ? [] : [this.#send(markerStatement(markerId))]
    const writes = closing.map(({ collector, items }) => this.#send(collector.statement(items)))
    this.#cork()
    const committing = this.#client.query('commit')
    // Every promise of the flight is awaited, whatever the others do.
    const [commit] = await Promise.allSettled([committing, this.#begun, ...marked, ...writes])
    if (commit.status === 'rejected') return this.#lost(value, markerId, commit.reason)
    // COMMIT of a failed transaction succeeds, with ROLLBACK as its tag.
    if (commit.value.command !== 'COMMIT') throw this.#failure ?? new Error('the transaction was rolled back')
    return this.#committed(
      value,
      closing,
      (await Promise.all(writes)).map(({ rows }) => rows),
    )
  }

  #committed<T>(value: T, closing: readonly Collected[], rows: readonly (readonly object[])[]): TransactionOutcome<T> {
    this.announce(new Map(closing.map(({ collector }, index) => [collector.name, rows[index] ?? []])))
    return { kind: 'committed', value }
  }

  #lost<T>(value: T, markerId: string | undefined, cause: unknown): TransactionOutcome<T> {
    const error = hasCode(cause, 'DATABASE_UNAVAILABLE') ? cause.cause : cause
    // With an SQLSTATE the server has answered: it did not commit.
    if (sqlState(error) !== undefined && !isShutdown(error)) throw wrapDatabaseError(error)
    if (markerId === undefined) {
      throw new PlatformError('COMMIT_UNKNOWN', 'the answer to commit was lost', { cause })
    }
    return { kind: 'unknown', value, markerId, cause }
  }

  #send<R extends object>(statement: Statement): Promise<Rows<R>> {
    this.#cork()
    const sent = this.#client.query<R>(toQuery(statement)).then(
      ({ rows, rowCount }) => ({ rows, rowCount: rowCount ?? 0 }),
      (error: unknown) => {
        const failure = wrapDatabaseError(error)
        this.#failure ??= failure
        throw failure
      },
    )
    // The failure is kept above and thrown at commit, also when nobody awaits this statement.
    sent.catch(() => undefined)
    return sent
  }

  /** What is sent in one turn leaves in one write: a write to the server costs more than what it says. */
  #cork(): void {
    if (this.#corked) return
    this.#corked = true
    const stream = streamOf(this.#client)
    stream.cork()
    process.nextTick(() => {
      this.#corked = false
      stream.uncork()
    })
  }

  async #rollback(): Promise<void> {
    this.#ended = true
    if (this.#begun === undefined) return
    try {
      await this.#client.query('rollback')
    } catch {
      // The connection is gone, and the transaction with it; the first error is the one to tell.
    }
  }
}

/** Class 57P: the server ends the session; whether COMMIT ran before is not known. */
function isShutdown(error: unknown): boolean {
  return sqlState(error)?.startsWith('57P') ?? false
}
