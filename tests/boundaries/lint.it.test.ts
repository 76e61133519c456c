import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ownInstall } from '../../tools/own-install.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const fixture = fileURLToPath(new URL('fixtures/lint', import.meta.url))

interface Diagnostic {
  readonly category: string
  readonly location: { readonly path: string }
}

/** `file rule` of everything that Biome finds in a copy of the fixture under the repository's configuration. */
function findings(biome: string): string[] {
  // Elsewhere, because the configuration leaves fixtures out.
  const folder = mkdtempSync(join(tmpdir(), 'headrace-lint-'))
  try {
    cpSync(fixture, folder, { recursive: true })
    cpSync(join(root, 'biome.json'), join(folder, 'biome.json'))
    const args = [
      'lint',
      '--vcs-enabled=false',
      `--config-path=${folder}`,
      '--reporter=json',
      '--max-diagnostics=none',
      folder,
    ]
    const { stdout } = spawnSync(biome, args, { encoding: 'utf8' })
    const { diagnostics } = JSON.parse(stdout) as { diagnostics: Diagnostic[] } // Biome's format
    return diagnostics.map(
      ({ category, location }) => `${relative(folder, location.path)} ${category.replace(/^lint\//, '')}`,
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function seeded(): string[] {
  return globSync('*.ts', { cwd: fixture }).flatMap((file) =>
    [...readFileSync(join(fixture, file), 'utf8').matchAll(/seeded: (\S+)/g)].map((match) => `${file} ${match[1]}`),
  )
}

it('the lint rules find the seeded violations, and nothing in code that excuses itself with a reason', (context) => {
  let programs: string
  try {
    programs = ownInstall('lint')
  } catch (error) {
    if (process.env.CI) throw error
    context.skip(`Biome cannot be installed here: ${error instanceof Error ? error.message : error}`)
    return
  }
  assert.deepEqual(findings(join(programs, 'biome')).sort(), seeded().sort())
})
