// `npm run walkthroughs`: makes every call of docs/walkthroughs/*.md and writes its real output below it.
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withOutputs } from './walkthrough/page.ts'
import { runPage } from './walkthrough/run-page.ts'

const folder = fileURLToPath(new URL('../docs/walkthroughs', import.meta.url))
for (const page of globSync('*.md', { cwd: folder }).filter((name) => name !== 'README.md')) {
  const path = join(folder, page)
  const markdown = readFileSync(path, 'utf8')
  const outcomes = await runPage(markdown)
  writeFileSync(path, withOutputs(markdown, new Map(outcomes.map(({ call, output }) => [call.line, output]))))
  console.log(`${basename(path)}: ${outcomes.length} calls`)
}
