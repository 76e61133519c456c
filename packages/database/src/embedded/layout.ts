import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { startFailure } from './failures.ts'
import { makeDirectory } from './files.ts'

/** Where things lie in a data directory. */
export interface Layout {
  readonly dataDirectory: string
  /** PostgreSQL's own directory. */
  readonly cluster: string
  /** Held by the server for as long as one of its processes lives. */
  readonly lock: string
  /** The server's random password, readable by its owner only. */
  readonly password: string
  readonly log: string
  /** Written by the server: its pid, port and state. */
  readonly postmasterPid: string
}

/** The name of the role and of the database. */
export const databaseName = 'headrace'

/** The layout below a data directory whose path has no symbolic links. */
export function layoutOf(dataDirectory: string): Layout {
  const cluster = join(dataDirectory, 'postgres')
  return {
    dataDirectory,
    cluster,
    lock: join(dataDirectory, 'postgres.lock'),
    password: join(dataDirectory, 'postgres.password'),
    log: join(dataDirectory, 'postgres.log'),
    postmasterPid: join(cluster, 'postmaster.pid'),
  }
}

/** Makes the data directory when it is missing and resolves its path, by which the server is recognised later. */
export async function prepareLayout(dataDirectory: string): Promise<Layout> {
  try {
    await makeDirectory(dataDirectory, 0o700)
    return layoutOf(await realpath(dataDirectory))
  } catch (error) {
    throw startFailure(dataDirectory, error)
  }
}

/** The address of the server. The password is made of letters and digits only. */
export function serverUrl(port: number, password: string, database: string = databaseName): string {
  return `postgres://${databaseName}:${password}@127.0.0.1:${port}/${database}`
}
