import { appendFileSync, renameSync, statSync } from 'node:fs'

/** Size in bytes at which the log starts anew; one older file is kept. */
const limitBytes = 1024 * 1024

/**
 * A log file that stays bounded. Written at once and without waiting, since there is next to nothing to write and the
 * last lines are the ones that matter; what cannot be written (a full disk) is dropped.
 */
export function boundedLog(path: string): (line: string) => void {
  let bytes = sizeOf(path)
  return (line) => {
    try {
      if (bytes > limitBytes) {
        renameSync(path, `${path}.1`)
        bytes = 0
      }
      appendFileSync(path, `${line}\n`, { mode: 0o600 })
      bytes += line.length + 1
    } catch {
      // The log is a convenience; failing to keep it must not end the process.
    }
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
