import { execFile } from 'node:child_process'
import { chown, lchown, lstat, readdir, stat } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Layout } from './layout.ts'
import { systemPath } from './processes.ts'

const run = promisify(execFile)

/** The user that everybody else maps to: PostgreSQL refuses to run as root, and no user need be made for it. */
const nobody = 65534

const namespaceArguments = ['-U', `--map-user=${nobody}`, `--map-group=${nobody}`]

/**
 * How the server's programs are run.
 *
 * - `direct`: as the user of this process.
 * - `namespace`: this process is root, or a user without an entry in /etc/passwd, which initdb insists on; they run in
 *   a user namespace in which that user appears as nobody. Files stay the user's own.
 * - `user`: this process is root and may make no namespace, or the cluster belongs to somebody else: they run as that
 *   user, who must be able to reach the data directory.
 */
export type Account =
  | { readonly kind: 'direct'; readonly tools: Tools }
  | { readonly kind: 'namespace'; readonly tools: Tools }
  | { readonly kind: 'user'; readonly tools: Tools; readonly uid: number; readonly gid: number }

/** Which of the system's tools there are: all of them on Linux, none on macOS. */
export interface Tools {
  readonly flock: boolean
  readonly setpriv: boolean
}

/** Chooses how to run the server on this data directory. */
export async function chooseAccount(layout: Layout): Promise<Account> {
  const tools = await findTools()
  const root = process.getuid?.() === 0
  if (!root && hasName()) return { kind: 'direct', tools }
  const owner = await stat(layout.cluster).catch(() => undefined)
  if (root && owner !== undefined && owner.uid !== 0) return { kind: 'user', tools, uid: owner.uid, gid: owner.gid }
  if (await works('unshare', [...namespaceArguments, 'true'])) return { kind: 'namespace', tools }
  return root ? { kind: 'user', tools, uid: nobody, gid: nobody } : { kind: 'direct', tools }
}

/**
 * The words before a command that make it run under the account and die with this process by `deathSignal`. (The
 * signal comes when the starting thread ends; it must be set last, since changing users clears it: prctl(2).)
 */
export function asAccount(account: Account, deathSignal: 'INT' | 'KILL'): readonly string[] {
  const { tools } = account
  const user = account.kind === 'user' ? [`--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups'] : []
  const privileges = tools.setpriv ? ['setpriv', ...user, '--pdeathsig', deathSignal] : []
  return account.kind === 'namespace' ? ['unshare', ...namespaceArguments, ...privileges] : privileges
}

/** Options for `spawn` where no tool changes the user. */
export function spawnUser(account: Account): { uid?: number; gid?: number } {
  return account.kind === 'user' && !account.tools.setpriv ? { uid: account.uid, gid: account.gid } : {}
}

/** Gives a path and all below it to the account's user, if that is not the user of this process. */
export async function giveTo(account: Account, path: string): Promise<void> {
  if (account.kind !== 'user') return
  const entry = await lstat(path)
  if (entry.uid === account.uid) return
  if (entry.isDirectory()) {
    for (const name of await readdir(path)) await giveTo(account, join(path, name))
  }
  // Last, so that it tells whether everything below was given: a start may be killed in between.
  await lchown(path, account.uid, account.gid)
}

/** Gives a directory, but nothing in it, to the account's user, unless everybody may pass through it. */
export async function openTo(account: Account, directory: string): Promise<void> {
  if (account.kind !== 'user') return
  const { uid, mode } = await stat(directory)
  if (uid !== account.uid && (mode & 0o001) === 0) await chown(directory, account.uid, account.gid)
}

function hasName(): boolean {
  try {
    return userInfo().username !== ''
  } catch {
    return false
  }
}

async function findTools(): Promise<Tools> {
  if (process.platform !== 'linux') return { flock: false, setpriv: false }
  // Only util-linux knows these options; without -F a flock process would stay in between.
  const [flock, setpriv] = await Promise.all([
    works('flock', ['-n', '-F', '/dev/null', 'true']),
    works('setpriv', ['--pdeathsig', 'INT', 'true']),
  ])
  return { flock, setpriv }
}

async function works(tool: string, args: readonly string[]): Promise<boolean> {
  return run(tool, args, { env: { PATH: systemPath } }).then(
    () => true,
    () => false,
  )
}
