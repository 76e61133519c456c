import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ownInstall } from '../../tools/own-install.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const generated = join(root, 'modules/pipeline/src/generated')

function filesIn(folder: string): Record<string, string> {
  const paths = globSync('**/*.ts', { cwd: folder }).sort()
  return Object.fromEntries(paths.map((path) => [path, readFileSync(join(folder, path), 'utf8')]))
}

it('the generated TypeScript is what proto/ generates (after a change: make proto)', (context) => {
  try {
    ownInstall('proto')
  } catch (error) {
    if (process.env.CI) throw error
    context.skip(`buf cannot be installed here: ${error instanceof Error ? error.message : error}`)
    return
  }
  const folder = mkdtempSync(join(tmpdir(), 'headrace-proto-'))
  try {
    execFileSync(process.execPath, [join(root, 'tools/proto/generate.ts'), folder], { stdio: 'pipe' })
    const fresh = filesIn(folder)
    assert.deepEqual(Object.keys(fresh), ['diplom/v1/message_pb.ts', 'diplom/v1/result_pb.ts'])
    assert.deepEqual(filesIn(generated), fresh)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
