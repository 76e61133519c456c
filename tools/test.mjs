#!/usr/bin/env node
import { onNode24 } from '../apps/platform/bin/node-24.mjs'

if (onNode24(import.meta.url)) {
  const { main } = await import('./test/main.ts')
  process.exit(await main(process.argv.slice(2)))
}
