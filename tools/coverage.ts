// `make test-coverage`: runs the tests under c8 and writes coverage.html, one page whose files link into coverage/.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

interface Share {
  readonly covered: number
  readonly total: number
  readonly pct: number | 'Unknown'
}

interface FileSummary {
  readonly lines: Share
  readonly branches: Share
  readonly functions: Share
}

const root = fileURLToPath(new URL('..', import.meta.url))
const covered = ['packages/*/src/**', 'modules/*/src/**', 'apps/*/src/**']
const excluded = ['**/testing/**', '**/suite/**', '**/generated/**', '**/fixtures/**', '**/*.test.ts']
const options = ['--reporter=json-summary', '--reporter=html', '--reports-dir=coverage', '--all']
const filters = [...covered.map((glob) => `--include=${glob}`), ...excluded.map((glob) => `--exclude=${glob}`)]

const tests = spawnSync('c8', [...options, ...filters, process.execPath, 'tools/test.mjs', ...process.argv.slice(2)], {
  cwd: root,
  // What comes out of the cache is counted less exactly.
  env: { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1' },
  stdio: 'inherit',
})
writePage()
// Coverage never fails the run; tests do.
process.exitCode = tests.status ?? 1

function writePage(): void {
  const file = join(root, 'coverage/coverage-summary.json')
  const { total, ...files } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, FileSummary> // istanbul's format
  // c8's pages lie below the folder that all files share.
  const shared = sharedFolderLength(Object.keys(files).map((path) => relative(root, path)))
  const rows = Object.entries(files)
    .map(([path, summary]) => ({ path: relative(root, path), summary }))
    .sort((a, b) => a.path.localeCompare(b.path))
    .map(({ path, summary }) => row(`<a href="coverage/${path.slice(shared)}.html">${path}</a>`, summary))
  const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Coverage</title>
<style>
  body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem }
  table { border-collapse: collapse; width: 100% }
  th, td { border-bottom: 1px solid #ddd; padding: .2rem .6rem; text-align: right }
  th:first-child, td:first-child { text-align: left }
</style>
<h1>Coverage</h1>
<table>
<thead><tr><th>file</th><th>lines</th><th>branches</th><th>functions</th></tr></thead>
<tbody>
${total === undefined ? '' : row('<strong>all</strong>', total)}
${rows.join('\n')}
</tbody>
</table>
</html>
`
  writeFileSync(join(root, 'coverage.html'), page)
  console.log('coverage: coverage.html')
}

function sharedFolderLength(paths: readonly string[]): number {
  const [first = '', ...others] = paths
  let end = first.lastIndexOf('/') + 1
  while (end > 0 && !others.every((path) => path.startsWith(first.slice(0, end))))
    end = first.lastIndexOf('/', end - 2) + 1
  return end
}

function row(name: string, { lines, branches, functions }: FileSummary): string {
  const cells = [lines, branches, functions].map(({ pct, covered, total }) => `<td>${pct} % (${covered}/${total})</td>`)
  return `<tr><td>${name}</td>${cells.join('')}</tr>`
}
