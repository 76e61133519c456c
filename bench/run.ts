// `make bench` or `node bench/run.ts [name …]`: runs benchmarks one after the other and keeps their output in bench/results.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const names = [
  'log-to-handler',
  'ingest',
  'relay',
  'carrier-to-handler',
  'shop',
  'calculator',
  'live',
  'lookup',
  'intake',
] as const
const here = fileURLToPath(new URL('.', import.meta.url))
const [first, ...rest] = process.argv.slice(2)
if (first === '--help') {
  process.stdout.write(`usage: node bench/run.ts [${names.join('|')}] [flags of that benchmark]\n`)
  process.exit(0)
}
const chosen = first === undefined ? [...names] : names.filter((name) => name === first)
if (chosen.length === 0) {
  process.stderr.write(`no benchmark '${first}': one of ${names.join(', ')}\n`)
  process.exit(2)
}
if (!existsSync(`${here}/node_modules`)) {
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: here, stdio: 'inherit' })
}
for (const name of chosen) {
  const { status } = spawnSync(process.execPath, [`${here}/${name}/run.ts`, ...rest], { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
