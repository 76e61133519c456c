#!/usr/bin/env -S node --
// `--` ends Node's own options: it would take `--env-file` for one of them, wherever it stands.
// The whole module and not its export by name, which an old Node does not have: importing it would fail before we can say so.
import * as nodeModule from 'node:module'
import { onNode24 } from './node-24.mjs'

if (onNode24(import.meta.url)) {
  nodeModule.enableCompileCache()
  await import('../src/main.ts')
}
