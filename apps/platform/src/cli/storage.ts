import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { type Database, openDatabase, runningEmbeddedServer, startEmbeddedServer } from '@headrace/database'
import { hasCode, type PlatformError, sleep } from '@headrace/runtime'
import { CommandFailure } from './exit-codes.ts'

export interface StorageNeeds {
  /** A server; the embedded one unless given. */
  readonly databaseUrl: string | undefined
  readonly dataDirectory: string
  /** Told when the embedded server has to be started for this command. */
  readonly note: (line: string) => void
}

export interface StorageOptions {
  /** Makes the embedded database when there is none yet. Otherwise that is an error that says so. */
  readonly create?: boolean
}

/** Time in ms that a process which has just started may take until its database can be used. */
const startingPatienceMs = 10_000

/**
 * Runs `work` on the database of these settings: the server; else the embedded one of the process that runs on the data
 * directory; else, while nothing runs there, on one that is started for this command only.
 */
export async function withDatabase<T>(
  needs: StorageNeeds,
  work: (database: Database) => Promise<T>,
  options: StorageOptions = {},
): Promise<T> {
  await using server = await serverOf(needs, options)
  await using database = openDatabase({ url: server.url, maxConnections: 2, applicationName: 'headrace cli' })
  return await work(database)
}

interface UsableServer extends AsyncDisposable {
  readonly url: string
}

async function serverOf(needs: StorageNeeds, options: StorageOptions): Promise<UsableServer> {
  const { databaseUrl, dataDirectory } = needs
  if (databaseUrl !== undefined) return borrowed(databaseUrl)
  const running = await runningEmbeddedServer(dataDirectory)
  if (running !== undefined) return borrowed(running.url)
  if (options.create !== true && !(await hasCluster(dataDirectory))) throw nothingThere(dataDirectory)
  try {
    needs.note(`nothing runs on ${dataDirectory}: its database is started for this command only`)
    return await startEmbeddedServer({ dataDirectory })
  } catch (error) {
    if (!hasCode(error, 'DATABASE_IN_USE')) throw error
    return borrowed(await justStarted(dataDirectory, error))
  }
}

/** A server that somebody else stops. */
function borrowed(url: string): UsableServer {
  return { url, async [Symbol.asyncDispose]() {} }
}

/** The process that was faster, once its server takes connections. */
async function justStarted(dataDirectory: string, inUse: PlatformError): Promise<string> {
  for (const since = performance.now(); performance.now() - since < startingPatienceMs; await sleep(50)) {
    const running = await runningEmbeddedServer(dataDirectory)
    if (running !== undefined) return running.url
  }
  throw inUse
}

/** Tells whether an embedded database was made there. Only what is certainly missing counts: everything else is for the start to tell. */
export function hasCluster(dataDirectory: string): Promise<boolean> {
  const missing = (error: NodeJS.ErrnoException) => error.code === 'ENOENT' || error.code === 'ENOTDIR'
  return access(join(dataDirectory, 'postgres', 'PG_VERSION')).then(
    () => true,
    (error: NodeJS.ErrnoException) => !missing(error),
  )
}

function nothingThere(dataDirectory: string): CommandFailure {
  const advice = '`headrace run` makes one, or set HEADRACE_DATA or DATABASE_URL to where yours is'
  return new CommandFailure(`there is no database in ${dataDirectory} yet: ${advice}`)
}
