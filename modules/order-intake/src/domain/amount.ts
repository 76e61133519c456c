import { add, type Decimal, multiply, readDecimal, roundToMinor, zero } from './decimal.ts'

/** What an order is about, as its sender wrote it. */
export type Payload = Readonly<Record<string, unknown>>

/** What a payload says of its amount. */
export type AmountReading =
  | { readonly kind: 'amount'; readonly minor: number }
  /** `reason` names the field and its value. */
  | { readonly kind: 'invalid'; readonly reason: string }

/** Up to here a JSON number tells hundredths apart: above 2^46 doubles lie further from each other. */
const largestMinor = 2n ** 46n * 100n

/** A field that is no amount. */
class NoAmount extends Error {}

/**
 * The amount of a payload in minor units: `amount` where it is there and not null, else the sum of the items' price ×
 * quantity (1 unless given), rounded once, half up; else 0.
 */
export function readAmount(payload: Payload): AmountReading {
  try {
    const minor = roundToMinor(exactAmount(payload))
    if (minor > largestMinor) throw new NoAmount(`the payload's amount is too large`)
    return { kind: 'amount', minor: Number(minor) }
  } catch (error) {
    if (error instanceof NoAmount) return { kind: 'invalid', reason: error.message }
    throw error
  }
}

function exactAmount(payload: Payload): Decimal {
  const amount = own(payload, 'amount')
  if (amount !== undefined && amount !== null) return required(amount, 'amount')
  const items = own(payload, 'items')
  if (items === undefined || items === null) return zero
  if (!Array.isArray(items)) throw new NoAmount(`payload.items is ${shown(items)}, not a list`)
  return items.reduce<Decimal>((sum, item, index) => add(sum, itemTotal(item, `items[${index}]`)), zero)
}

function itemTotal(item: unknown, path: string): Decimal {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    throw new NoAmount(`payload.${path} is ${shown(item)}, not an object`)
  }
  const price = required(own(item, 'price'), `${path}.price`)
  const quantity = own(item, 'qty')
  if (quantity === undefined || quantity === null) return price
  return multiply(price, required(quantity, `${path}.qty`))
}

function required(value: unknown, path: string): Decimal {
  const decimal = readDecimal(value)
  if (decimal === undefined) throw new NoAmount(`payload.${path} is ${shown(value)}, not a number`)
  if (decimal.digits < 0n) throw new NoAmount(`payload.${path} is negative: ${shown(value)}`)
  return decimal
}

function own(object: object, name: string): unknown {
  return Object.hasOwn(object, name) ? Reflect.get(object, name) : undefined
}

function shown(value: unknown): string {
  if (value === undefined) return 'missing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'an object'
  const written = JSON.stringify(value) ?? typeof value
  return written.length > 64 ? `${written.slice(0, 64)}…` : written
}
