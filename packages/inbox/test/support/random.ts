import { randomInt } from 'node:crypto'

/** A seed from HEADRACE_TEST_SEED, which the test runner sets and prints, else a new one. */
export function testSeed(): number {
  const given = process.env.HEADRACE_TEST_SEED
  return given === undefined ? randomInt(2 ** 31) : Number(given)
}

export interface Random {
  readonly seed: number
  /** A whole number from 0 to below `limit`. */
  below(limit: number): number
  chance(probability: number): boolean
  pick<T>(from: readonly T[]): T
}

/** Repeatable random numbers (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number) => Math.floor(next() * limit)
  return {
    seed,
    below,
    chance: (probability) => next() < probability,
    pick: <T>(from: readonly T[]): T => {
      const found = from[below(from.length)]
      if (found === undefined) throw new RangeError('nothing to pick from')
      return found
    },
  }
}

/** Runs a randomised test and names its seed when it fails. */
export async function withSeed(seed: number, test: (random: Random) => Promise<void>): Promise<void> {
  try {
    await test(seededRandom(seed))
  } catch (error) {
    throw new Error(`failed with HEADRACE_TEST_SEED=${seed}`, { cause: error })
  }
}
