import { parseArgs } from 'node:util'

export interface ProduceOptions {
  readonly count: number
  /** Orders per second; 0 = as fast as they are taken. */
  readonly rate: number
  /** Share of orders that are broken on purpose, from 0 to 1. */
  readonly invalid: number
  /** Prints one order and writes nothing. */
  readonly dryRun: boolean
  /** The same seed makes the same orders; random unless given. */
  readonly seed: number | undefined
}

export class UsageError extends Error {}

const usage = `usage: make produce-orders [COUNT=1000] [RATE=200] [INVALID=5%] [ARGS='--dry-run --seed N']
  --count    how many orders (COUNT)
  --rate     orders per second, 0 = as fast as they are taken (RATE)
  --invalid  share that is broken on purpose: 5% or 0.05 (INVALID)
  --dry-run  print one order and write nothing
  --seed     the same orders again
Where to is what the platform reads: QUEUE_TYPE, ORDER_LOOKUP_QUEUE_TYPE, ORDERS_TOPIC, DATABASE_URL, KAFKA_BROKERS, … or ./.env`

export function readOptions(args: readonly string[]): ProduceOptions {
  const { count, rate, invalid, seed, 'dry-run': dryRun } = parse(args)
  return {
    count: wholeNumber('--count', count),
    rate: wholeNumber('--rate', rate),
    invalid: share(invalid),
    dryRun: dryRun === true,
    seed: seed === undefined ? undefined : wholeNumber('--seed', seed),
  }
}

function parse(args: readonly string[]) {
  const text = (value: string) => ({ type: 'string', default: value }) as const
  try {
    return parseArgs({
      args: [...args],
      options: {
        count: text('1000'),
        rate: text('200'),
        invalid: text('5%'),
        seed: { type: 'string' },
        'dry-run': { type: 'boolean' },
      },
    }).values
  } catch (cause) {
    throw new UsageError(`${cause instanceof Error ? cause.message : cause}\n${usage}`)
  }
}

function wholeNumber(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`${name}: '${text}' is no whole number\n${usage}`)
  return Number(text)
}

function share(text: string): number {
  const [match, number, percent] = /^(\d{1,3}(?:\.\d{1,6})?)(%?)$/.exec(text) ?? []
  const value = match === undefined ? Number.NaN : Number(number) / (percent === '%' ? 100 : 1)
  if (value >= 0 && value <= 1) return value
  throw new UsageError(`--invalid: '${text}' is no share: expected 0% to 100%, or 0 to 1\n${usage}`)
}
