import { realpath } from 'node:fs/promises'
import { layoutOf, serverUrl } from './layout.ts'
import { findServer } from './owner.ts'
import { readPassword } from './password.ts'
import type { RunningServer } from './types.ts'

/** Finds the server that a live process runs on a data directory; undefined when none does or it is not ready. */
export async function runningEmbeddedServer(dataDirectory: string): Promise<RunningServer | undefined> {
  const path = await realpath(dataDirectory).catch(() => undefined)
  if (path === undefined) return undefined
  const layout = layoutOf(path)
  const found = await findServer(layout)
  if (found?.owner === undefined || !found.ownerAlive || !found.ready) return undefined
  return { url: serverUrl(found.port, await readPassword(layout)), ownerPid: found.owner.pid, serverPid: found.pid }
}
