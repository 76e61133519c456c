// Exit code 0 when node_modules holds what the lock file names, so that nothing has to be installed.
import { readFileSync } from 'node:fs'

const root = new URL('../', import.meta.url)
const read = (name) => JSON.parse(readFileSync(new URL(name, root), 'utf8')).packages

try {
  const { '': _root, ...wanted } = read('package-lock.json')
  const installed = read('node_modules/.package-lock.json')
  const missing = Object.entries(wanted).filter(
    ([path, { version, optional, link }]) =>
      path.includes('node_modules/') && !optional && !link && installed[path]?.version !== version,
  )
  process.exitCode = missing.length === 0 ? 0 : 1
} catch {
  process.exitCode = 1
}
