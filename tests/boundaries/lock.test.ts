import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const kinds = ['dependencies', 'devDependencies', 'optionalDependencies'] as const

type Manifest = Readonly<Partial<Record<(typeof kinds)[number], Readonly<Record<string, string>>>>>

/** Where a manifest asks for something else than the lock file holds for it: `npm ci` refuses such a lock file. */
function drift(manifests: Readonly<Record<string, Manifest>>, locked: Readonly<Record<string, Manifest>>): string[] {
  return Object.entries(manifests).flatMap(([folder, manifest]) =>
    kinds
      .filter((kind) => sorted(manifest[kind]) !== sorted(locked[folder]?.[kind]))
      .map((kind) => `${kind} of '${folder}'`),
  )
}

function sorted(versions: Readonly<Record<string, string>> = {}): string {
  return JSON.stringify(Object.entries(versions).sort())
}

it('package-lock.json agrees with every package.json, so that npm ci works (after a change: npm install)', () => {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, Manifest>
  }
  const paths = ['package.json', ...globSync('{packages,modules,apps}/*/package.json', { cwd: root })]
  const manifests = paths.map((path): [string, Manifest] => {
    const folder = dirname(path)
    return [folder === '.' ? '' : folder, JSON.parse(readFileSync(join(root, path), 'utf8')) as Manifest]
  })
  assert.deepEqual(drift(Object.fromEntries(manifests), packages), [])
})

it('a dependency that was added, changed or moved without the lock file is found', () => {
  const locked = { 'packages/log': { dependencies: { uuid: '14.0.3' } } }
  assert.deepEqual(drift({ 'packages/log': { dependencies: { uuid: '14.0.3' } } }, locked), [])
  assert.deepEqual(drift({ 'packages/log': { dependencies: { uuid: '14.0.4' } } }, locked), [
    "dependencies of 'packages/log'",
  ])
  assert.deepEqual(drift({ 'packages/log': { optionalDependencies: { uuid: '14.0.3' } } }, locked), [
    "dependencies of 'packages/log'",
    "optionalDependencies of 'packages/log'",
  ])
  assert.deepEqual(drift({ 'packages/new': { dependencies: { pg: '8.23.1' } } }, locked), [
    "dependencies of 'packages/new'",
  ])
})
