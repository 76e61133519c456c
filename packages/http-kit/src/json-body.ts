import { isUtf8 } from 'node:buffer'
import { messageOf } from '@headrace/runtime'
import { invalidRequest } from './problem.ts'

/** Deepest nesting of objects and arrays in a body. */
export const maxJsonDepth = 64

/**
 * Parses a JSON body. Throws `INVALID_REQUEST` when it is empty, not UTF-8, not JSON or nested deeper than 64, and when
 * it holds what must not travel on: `\u0000` or a lone surrogate in a text (PostgreSQL cannot store them), a
 * `__proto__` key, or a `constructor` with a `prototype`.
 */
export function parseJsonBody(bytes: Buffer): unknown {
  if (bytes.length === 0) throw invalidRequest('the body is empty: expected JSON')
  if (!isUtf8(bytes)) throw invalidRequest('the body is not UTF-8')
  const text = bytes.toString('utf8')
  const value = parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text)
  // What is too short to be deep need not be measured: each level takes two characters.
  if (text.length > 2 * maxJsonDepth) assertDepth(value, maxJsonDepth)
  // Only an escape can bring a NUL or a lone surrogate into a text that is UTF-8, or hide a name.
  if (text.includes('\\u') || text.includes('__proto__') || text.includes('"prototype"')) assertHarmless(value, '')
  return value
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw invalidRequest(`the body is not valid JSON: ${messageOf(error).slice(0, 160)}`)
  }
}

function assertDepth(value: unknown, left: number): void {
  if (typeof value !== 'object' || value === null) return
  if (left === 0) throw invalidRequest(`the body is nested deeper than ${maxJsonDepth} levels`)
  if (Array.isArray(value)) {
    for (const entry of value) assertDepth(entry, left - 1)
    return
  }
  // The object comes from JSON.parse and inherits nothing enumerable.
  for (const key in value) assertDepth((value as Record<string, unknown>)[key], left - 1)
}

function assertHarmless(value: unknown, path: string): void {
  if (typeof value === 'string') {
    assertStorableText(value, path === '' ? 'the body' : path)
    return
  }
  if (typeof value !== 'object' || value === null) return
  for (const [key, entry] of Object.entries(value)) {
    const inner = Array.isArray(value) ? `${path}[${key}]` : `${path}${path === '' ? '' : '.'}${key}`
    if (!Array.isArray(value)) assertHarmlessKey(key, entry, path)
    assertHarmless(entry, inner)
  }
}

function assertHarmlessKey(key: string, entry: unknown, path: string): void {
  const place = path === '' ? 'the body' : path
  assertStorableText(key, `a key of ${place}`)
  const isPrototype = typeof entry === 'object' && entry !== null && Object.hasOwn(entry, 'prototype')
  if (key === '__proto__' || (key === 'constructor' && isPrototype)) {
    throw invalidRequest(`${place} has the key '${key}', which is not allowed`)
  }
}

/**
 * Throws `INVALID_REQUEST` that names the field when a text holds U+0000 or a lone surrogate, which PostgreSQL cannot
 * store. JSON bodies and URLs are checked by the server; call it for texts from elsewhere, such as protobuf.
 */
export function assertStorableText(value: string, field: string): void {
  if (value.includes('\u0000')) throw invalidRequest(`${field.slice(0, 200)} holds a NUL character (U+0000)`)
  if (!value.isWellFormed()) throw invalidRequest(`${field.slice(0, 200)} holds a lone surrogate: not valid Unicode`)
}
