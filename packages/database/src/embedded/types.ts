export interface EmbeddedServerOptions {
  /** Where everything is kept: the cluster, its password, its log. Made when missing. */
  readonly dataDirectory: string
  /** TCP port on 127.0.0.1; default 0, any free one. */
  readonly port?: number
  /** Default true. False turns fsync off: for tests only, a crash of the machine then destroys the data. */
  readonly durable?: boolean
  /** Most connections the server takes; default 50. */
  readonly maxConnections?: number
  /** Receives the server's log line by line; default: `postgres.log` in the data directory, at most 2 MiB. */
  readonly onLog?: (line: string) => void
  /** Ends a start that is under way. */
  readonly signal?: AbortSignal
}

export const embeddedDefaults = { port: 0, durable: true, maxConnections: 50 } as const

/** How a server process ended. `expected` is true after `stop()`. */
export interface ServerExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly expected: boolean
}

export interface EmbeddedServer extends AsyncDisposable {
  /** `postgres://…` with the password; the database is `headrace`. */
  readonly url: string
  readonly dataDirectory: string
  /** The process id of the server. */
  readonly pid: number
  /** Resolves when the server has ended, whether asked to or not. Never rejects. */
  readonly exited: Promise<ServerExit>
  /** Ends the server: open transactions are rolled back, everything committed is on disk. Idempotent. */
  stop(): Promise<void>
}

/** An embedded server that another process owns. */
export interface RunningServer {
  readonly url: string
  readonly ownerPid: number
  readonly serverPid: number
}

/** One major version of PostgreSQL as files. */
export interface ServerBinaries {
  /** The folder with `postgres` and `initdb`. */
  readonly directory: string
  readonly major: number
}
