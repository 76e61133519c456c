import { readiness } from '@headrace/http-kit'
import { PlatformError } from '@headrace/runtime'
import type { Transport } from '@headrace/transport'

/** Asks carriers for real, without writing; rejects with `BROKER_UNAVAILABLE`, which names those that cannot be used. */
export function carrierHealth(carriers: readonly Transport[]): () => Promise<void> {
  const asked = readiness(
    Object.fromEntries(carriers.map((carrier) => [carrier.name, (signal: AbortSignal) => carrier.probe(signal)])),
  )
  return async () => {
    const { isReady, parts } = await asked.check()
    if (isReady) return
    const away = Object.keys(parts).filter((name) => parts[name] !== 'ok')
    throw new PlatformError('BROKER_UNAVAILABLE', `the carrier in use cannot be used: ${away.join(', ')}`)
  }
}
