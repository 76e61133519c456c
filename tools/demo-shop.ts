// `make demo-shop`: a shop's day in the terminal, with every change of the customer's orders as the stream shows it.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { demonstrate } from './demo-shop/demonstrate.ts'
import { startShop } from './demo-shop/start-shop.ts'

const at = process.argv.indexOf('--url')
const given = at < 0 ? undefined : process.argv[at + 1]
if (given !== undefined) await demonstrate(given, console.log)
else {
  const directory = await mkdtemp(join(tmpdir(), 'headrace-demo-'))
  try {
    console.log('starting a shop of its own (--url http://127.0.0.1:8080 shows the one that runs there)')
    await using shop = await startShop(directory)
    await demonstrate(shop.url, console.log)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
