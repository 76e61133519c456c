import { sleep } from '@headrace/runtime'

const pollMs = 5

/**
 * Waits until a condition holds. Rejects after `deadlineMs` (default 30 000) with an error that names what was missing,
 * as in `not within 30000 ms: the message is parked`.
 */
export async function untilTrue(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = 30_000,
): Promise<void> {
  const deadline = performance.now() + deadlineMs
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${what}`)
    await sleep(pollMs)
  }
}
