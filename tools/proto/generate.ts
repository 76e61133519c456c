// `npm run proto [folder]`: writes the TypeScript for proto/ into the pipeline's generated sources, or into the folder.
import { spawnSync } from 'node:child_process'
import { delimiter, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ownInstall } from '../own-install.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const out = resolve(root, process.argv[2] ?? 'modules/pipeline/src/generated')
const template = {
  version: 'v2',
  clean: true,
  plugins: [{ local: 'protoc-gen-es', out, opt: ['target=ts', 'import_extension=ts'] }],
}
const programs = ownInstall('proto')
const { status } = spawnSync(join(programs, 'buf'), ['generate', 'proto', '--template', JSON.stringify(template)], {
  cwd: root,
  // protoc-gen-es belongs to the root, beside the library that its output needs.
  env: { ...process.env, PATH: [join(root, 'node_modules/.bin'), process.env.PATH].join(delimiter) },
  stdio: 'inherit',
})
process.exitCode = status ?? 1
