import { messageOf, type OnBackgroundError } from '@headrace/runtime'

/** Pause in ms between two reports of the same place. */
const everyMs = 1_000

/** Reports that accounts could not be asked at a place; seldom, because that fails with every order. */
export function unreachableReports(onError: OnBackgroundError): (place: string, cause: unknown) => void {
  const lastAt = new Map<string, number>()
  return (place, cause) => {
    const now = performance.now()
    if (now - (lastAt.get(place) ?? -Infinity) < everyMs) return
    lastAt.set(place, now)
    onError(new Error(`payments ${place} could not be asked: ${messageOf(cause)}`, { cause }), 'accounts')
  }
}
