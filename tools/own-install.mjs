// Tools whose packages must stay out of the root lock file are installed on first use, each in a folder of its own
// (docs/decisions/0006-biome-outside-the-lock.md).
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Installs `tools/<folder>` at the versions that its package.json pins, unless they are there already.
 * @param {string} folder
 * @returns {string} the folder that holds its programs
 * @throws when npm cannot install it (no network)
 */
export function ownInstall(folder) {
  const home = fileURLToPath(new URL(folder, import.meta.url))
  const { dependencies } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'))
  const missing = Object.entries(dependencies).filter(([name, version]) => installedVersion(home, name) !== version)
  if (missing.length > 0) install(home, missing.map(([name, version]) => `${name} ${version}`).join(', '))
  return join(home, 'node_modules/.bin')
}

function installedVersion(home, name) {
  const manifest = join(home, 'node_modules', name, 'package.json')
  return existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')).version : undefined
}

function install(home, what) {
  process.stderr.write(`installing ${what} …\n`)
  const args = ['install', '--no-package-lock', '--no-audit', '--no-fund', '--loglevel=error']
  const { status, stdout, stderr } = spawnSync('npm', args, { cwd: home, env: outsideTheRoot(), encoding: 'utf8' })
  if (status !== 0)
    throw new Error(`npm could not install ${what}: ${(stderr || stdout || 'npm was not found').trim()}`)
}

/** Inside `npm run`, npm tells its children that the root is their package; here it is not. */
function outsideTheRoot() {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(package|lifecycle|config_local_prefix)/.test(name)),
  )
}
