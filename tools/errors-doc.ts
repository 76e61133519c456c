// `npm run errors-doc`: writes docs/errors.md from the error registries.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { conflicts, errorsDocument } from './errors/document.ts'
import { readRegistries } from './errors/registries.ts'
import { retiredCodes } from './errors/retired.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const registries = await readRegistries(root)
for (const conflict of conflicts(registries, retiredCodes)) {
  console.error(conflict)
  process.exitCode = 1
}
writeFileSync(join(root, 'docs/errors.md'), errorsDocument(registries, retiredCodes))
