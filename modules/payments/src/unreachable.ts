import { atMostEvery, messageOf, type OnBackgroundError } from '@headrace/runtime'

/** Pause in ms between two reports of the same place. */
const everyMs = 1_000

/** Reports that accounts could not be asked at a place; seldom, because that fails with every order. */
export function unreachableReports(onError: OnBackgroundError): (place: string, cause: unknown) => void {
  const isDue = atMostEvery(everyMs)
  return (place, cause) => {
    if (isDue(place))
      onError(new Error(`payments ${place} could not be asked: ${messageOf(cause)}`, { cause }), 'accounts')
  }
}
