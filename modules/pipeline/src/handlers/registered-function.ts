import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { messageOf, PlatformError } from '@headrace/runtime'
import type { DataMessage } from '../domain/data-message.ts'

/**
 * A user's processor: returns the result as a text or bytes; throws to have the message tried again. It is executed at
 * least once for each message; its result is recorded once. Its time limit aborts the signal.
 */
export type ProcessMessage = (
  message: DataMessage,
  context: { readonly signal: AbortSignal },
) => Promise<string | Uint8Array> | string | Uint8Array

/** Loads the function that `PROCESSOR_FUNCTION` names. Throws `INVALID_SETTING` when there is none. */
export async function loadProcessor(path: string): Promise<ProcessMessage> {
  const file = resolve(path)
  let loaded: Readonly<Record<string, unknown>>
  try {
    // A module's namespace is an object of its exports.
    loaded = (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>
  } catch (cause) {
    throw new PlatformError('INVALID_SETTING', `PROCESSOR_FUNCTION is '${path}': ${messageOf(cause)}`, { cause })
  }
  const { processMessage } = loaded
  // Whatever it takes and returns is checked at each call.
  if (typeof processMessage === 'function') return processMessage as ProcessMessage
  const text = `PROCESSOR_FUNCTION is '${path}': expected a module that exports a function processMessage`
  throw new PlatformError('INVALID_SETTING', text)
}

/** The bytes of what a processor returned. Throws `TypeError` for anything but a text or bytes. */
export function resultBytes(returned: unknown): Uint8Array {
  if (typeof returned === 'string') return Buffer.from(returned)
  if (returned instanceof Uint8Array) return returned
  throw new TypeError(
    `processMessage returned ${returned === null ? 'null' : typeof returned}, expected a text or bytes`,
  )
}
