// Tools whose packages must stay out of the root lock file are installed on first use, each in a folder of its own
// (docs/decisions/0006-biome-outside-the-lock.md).
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

interface Manifest {
  readonly version?: string
  readonly dependencies: Readonly<Record<string, string>>
}

/**
 * Installs `tools/<folder>` at the versions that its package.json pins, unless they are there already, and returns the
 * folder that holds its programs. Throws where npm cannot install them (no network).
 */
export function ownInstall(folder: string): string {
  const home = fileURLToPath(new URL(folder, import.meta.url))
  const { dependencies } = manifestIn(home)
  const missing = Object.entries(dependencies).filter(([name, version]) => installedVersion(home, name) !== version)
  if (missing.length > 0) install(home, missing.map(([name, version]) => `${name} ${version}`).join(', '))
  return join(home, 'node_modules/.bin')
}

function installedVersion(home: string, name: string): string | undefined {
  const folder = join(home, 'node_modules', name)
  return existsSync(join(folder, 'package.json')) ? manifestIn(folder).version : undefined
}

function manifestIn(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest // npm's format
}

function install(home: string, what: string): void {
  process.stderr.write(`installing ${what} …\n`)
  const args = ['install', '--no-package-lock', '--no-audit', '--no-fund', '--loglevel=error']
  const { status, stdout, stderr } = spawnSync('npm', args, { cwd: home, env: outsideTheRoot(), encoding: 'utf8' })
  if (status !== 0)
    throw new Error(`npm could not install ${what}: ${(stderr || stdout || 'npm was not found').trim()}`)
}

/** Inside `npm run`, npm tells its children that the root is their package; here it is not. */
function outsideTheRoot(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(package|lifecycle|config_local_prefix)/.test(name)),
  )
}
