import { type Database, sweepMarkers } from '@headrace/database'
import { sweepKeys } from '@headrace/http-kit'
import { startKeyValueSweep } from '@headrace/keyvalue'
import { type OnBackgroundError, type Running, startSweep } from '@headrace/runtime'

const everyMs = 60_000
const batchSize = 10_000

/** Deletes what is past its time in the packages' tables, in bounded batches. */
export function startHousekeeping(database: Database, onError: OnBackgroundError): Running {
  const common = { batchSize, everyMs, onError }
  const loops = [
    startSweep({ ...common, name: 'marker sweep', sweep: () => sweepMarkers(database, batchSize) }),
    startSweep({ ...common, name: 'idempotency key sweep', sweep: () => sweepKeys(database, batchSize) }),
    startKeyValueSweep(database, { onError }),
  ]
  const stop = async () => {
    await Promise.all(loops.map((loop) => loop.stop()))
  }
  return { stop, [Symbol.asyncDispose]: stop }
}
