// `npm run lint`, `npm run fmt`: Biome over the paths given, or over everything.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ownInstall } from '../own-install.ts'

const [command = 'lint', ...rest] = process.argv.slice(2)
const biome = join(ownInstall('lint'), 'biome')
const { status } = spawnSync(biome, [command, '--error-on-warnings', ...rest], {
  cwd: fileURLToPath(new URL('../..', import.meta.url)),
  stdio: 'inherit',
})
process.exitCode = status ?? 1
