/** One SQL statement. A `name` makes it a prepared statement, planned once a connection; names are unique per text. */
export interface Statement {
  readonly name?: string
  /** True where a plan is not kept although there is a name: made while a table was empty it would read all of it later. */
  readonly replan?: boolean
  readonly text: string
  readonly values?: readonly unknown[]
}

export interface Rows<R> {
  readonly rows: R[]
  /** Rows returned or changed. */
  readonly rowCount: number
}

/** Where statements can be sent: a database (each commits by itself) or a transaction. */
export interface Queryable {
  query<R extends object>(statement: Statement): Promise<Rows<R>>
}

/**
 * What is sent together with COMMIT, as the last flight of a transaction: locks taken there are held for one round
 * trip and never across user code. Collectors run in the order of their `rank`, which is the global lock order.
 */
export interface Collector<Item, Row extends object = object> {
  readonly name: string
  /** Lower first. The log's heads are 10, live heads 20. */
  readonly rank: number
  /** The one statement that writes all collected items; a `select` of a function, without a `with` of its own. */
  statement(items: readonly Item[]): Statement
  /** Called after the commit with the statement's rows; without them when the answer was lost and settled later. */
  committed?(items: readonly Item[], rows: readonly Row[] | undefined): void
}

/**
 * A running transaction (read committed). Statements sent without awaiting in between share a round trip.
 * It is valid until the function that got it returns.
 */
export interface Transaction extends Queryable {
  /** Adds an item to what is written together with COMMIT. */
  collect<Item, Row extends object>(collector: Collector<Item, Row>, item: Item): void
  /** Runs after the commit, synchronously; not at all when the transaction did not commit. */
  afterCommit(action: () => void): void
}

export interface TransactionOptions {
  /**
   * Settles a lost answer to COMMIT by a marker row, so that the caller can be told what happened. For transactions
   * that answer somebody; those with a fence of their own (a lane's position) do not need it.
   */
  readonly settle?: boolean
  /** Stops before COMMIT is sent when aborted; afterwards the commit is awaited. */
  readonly signal?: AbortSignal
}

export interface Database extends Queryable, AsyncDisposable {
  /** Connection string of the server. Holds a password: never log it. */
  readonly url: string
  /**
   * Runs `work` in a transaction and commits. Throws what `work` or a statement threw after rolling back;
   * `DATABASE_UNAVAILABLE` when nothing was committed because of the connection; `COMMIT_UNKNOWN` when the answer to
   * COMMIT was lost and could not be settled.
   */
  inTransaction<T>(work: (tx: Transaction) => Promise<T> | T, options?: TransactionOptions): Promise<T>
  /** Connections in use, idle, and callers waiting for one. */
  usage(): { readonly total: number; readonly idle: number; readonly waiting: number }
  /** Waits for running transactions to end, then closes all connections. */
  stop(): Promise<void>
}
