/** What a field must be: its reader tells what is wrong by throwing `NotTheModel`. */
export type Reader<T> = (value: unknown, path: string) => T

/** A value that does not fit the model; the message names the field and says what it holds. */
export class NotTheModel extends Error {}

/** The readers of an object's fields, in the order in which the object is written. */
export type Fields<T> = { readonly [Name in keyof T]: Reader<T[Name]> }

/** Reads an object field by field; unknown fields are left out. */
export function object<T extends object>(fields: Fields<T>): Reader<T> {
  // Object.entries loses which reader belongs to which field; the result has exactly the fields of T.
  const readers = Object.entries(fields) as [string, Reader<unknown>][]
  return (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw expected('an object', value, path)
    const read = readers.map(([name, reader]) => {
      const inner = path === '' ? name : `${path}.${name}`
      if (!Object.hasOwn(value, name)) throw new NotTheModel(`${inner} is missing`)
      return [name, reader(Reflect.get(value, name), inner)] as const
    })
    return Object.fromEntries(read) as T
  }
}

/** A list of at least one entry. */
export function listOf<T>(reader: Reader<T>): Reader<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw expected('a list', value, path)
    if (value.length === 0) throw new NotTheModel(`${path} is empty`)
    return value.map((entry, index) => reader(entry, `${path}[${index}]`))
  }
}

/** A text that may be empty and that PostgreSQL can store as it is. */
export const textOrEmpty: Reader<string> = (value, path) => {
  if (typeof value !== 'string') throw expected('a text', value, path)
  if (value.includes('\u0000')) throw new NotTheModel(`${path} holds a NUL character`)
  if (!value.isWellFormed()) throw new NotTheModel(`${path} holds a lone surrogate`)
  return value
}

/** A text of at least one character. */
export const text: Reader<string> = (value, path) => {
  const read = textOrEmpty(value, path)
  if (read === '') throw new NotTheModel(`${path} is empty`)
  return read
}

/** Longest text that is looked up by an index, in characters. */
const nameLimit = 256

/** A text that orders are found by. */
export const name: Reader<string> = (value, path) => {
  const read = text(value, path)
  if (read.length > nameLimit) throw new NotTheModel(`${path} has ${read.length} characters, more than ${nameLimit}`)
  return read
}

/** An integer that is neither negative nor beyond what JSON carries exactly. */
export const count: Reader<number> = (value, path) => {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw expected('a whole number', value, path)
  if (value < 0) throw new NotTheModel(`${path} is negative: ${value}`)
  // -0 would come back as 0.
  return value + 0
}

const rfc3339 =
  /^(\d{4})-(\d\d)-(\d\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/i

/** A time as RFC 3339 writes it, kept as it is written. */
export const time: Reader<string> = (value, path) => {
  const read = text(value, path)
  const [, year, month, day] = rfc3339.exec(read) ?? []
  if (year === undefined || !isDay(Number(year), Number(month), Number(day))) {
    throw expected('a time as 2021-11-26T06:22:19Z', value, path)
  }
  return read
}

function isDay(year: number, month: number, day: number): boolean {
  const last = new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate()
  return month >= 1 && month <= 12 && day >= 1 && day <= last
}

function expected(what: string, value: unknown, path: string): NotTheModel {
  return new NotTheModel(`${path === '' ? 'the order' : path} is ${shown(value)}, not ${what}`)
}

function shown(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  const written = JSON.stringify(value) ?? typeof value
  return written.length > 64 ? `${written.slice(0, 64)}…` : written
}
