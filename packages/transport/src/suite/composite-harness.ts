import type { CarrierHarness, CompositeHarness } from './harness.ts'

/** Carriers side by side; what one of them cannot do, they cannot do together. */
export function compositeHarness(
  carriers: readonly CarrierHarness[],
  traits: Pick<CompositeHarness, 'sizes'> = {},
): CompositeHarness {
  return {
    name: `composite(${carriers.map(({ name }) => name).join()})`,
    carriers,
    deadlineMs: Math.max(...carriers.map(({ deadlineMs = 20_000 }) => deadlineMs)),
    messageLimitBytes: Math.min(...carriers.map(({ messageLimitBytes = 921_600 }) => messageLimitBytes)),
    cannot: {
      ...Object.assign({}, ...carriers.map(({ cannot }) => cannot)),
      carry: 'each of its carriers makes this promise by itself, and relays and the inbox put them together',
    },
    ...traits,
  }
}
