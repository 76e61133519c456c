import { locateBinaries } from './binaries.ts'
import { startServer } from './server.ts'
import type { EmbeddedServer, EmbeddedServerOptions } from './types.ts'

export { runningEmbeddedServer } from './running.ts'
export type { EmbeddedServer, EmbeddedServerOptions, RunningServer, ServerExit } from './types.ts'

/**
 * Starts PostgreSQL on a data directory, made anew when it is empty, and resolves once it takes connections. The server
 * belongs to this process: it ends when this process ends, however that happens. To be called from the main thread:
 * where the system ties the two together, it is the thread that counts.
 *
 * Rejects with `DATABASE_IN_USE` while another live process owns the directory, `DATABASE_UNSUPPORTED` where there are
 * no binaries, `PORT_TAKEN` for a given port, and `DATABASE_START_FAILED` for everything else that stops the server: a
 * full disk, missing rights, a data directory of another major version. Aborting the signal stops what was started.
 */
export async function startEmbeddedServer(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  return startServer(await locateBinaries(), options)
}
