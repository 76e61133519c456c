import type { Probe } from '@headrace/http-kit'
import { PlatformError } from '@headrace/runtime'

/** Asks the processors that messages are handed over to, into their memory. Passes when one of them serves. */
export function processorProbe(urls: readonly string[]): Probe {
  return async (signal) => {
    const answered = new AbortController()
    const either = AbortSignal.any([signal, answered.signal])
    try {
      await Promise.any(urls.map((url) => requireHealth(url, either)))
    } catch {
      throw new PlatformError('QUEUE_UNAVAILABLE', 'the processor cannot be reached')
    } finally {
      answered.abort()
    }
  }
}

async function requireHealth(url: string, signal: AbortSignal): Promise<void> {
  const { ok, status } = await fetch(new URL('/health', url), { signal })
  if (!ok) throw new Error(`${url} answered ${status}`)
}
