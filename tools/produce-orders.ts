// `make produce-orders COUNT=1000 RATE=200 INVALID=5%`: realistic orders, some broken on purpose, to whatever carries order lookup.
import { messageOf } from '@headrace/runtime'
import { readOptions, UsageError } from './produce-orders/options.ts'
import { produceOrders } from './produce-orders/produce-orders.ts'

try {
  await produceOrders(readOptions(process.argv.slice(2)), process.env)
} catch (error) {
  console.error(messageOf(error))
  process.exitCode = error instanceof UsageError ? 2 : 1
}
