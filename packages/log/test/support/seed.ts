import { randomInt } from 'node:crypto'

/** The seed of this run: HEADRACE_TEST_SEED, which the test runner sets and prints, else a new one. */
export const seed = Number(process.env.HEADRACE_TEST_SEED ?? randomInt(2 ** 31))

/** A sequence of numbers that follows from the seed and a salt: evenly from 0 up to, not including, 1. */
export function randomFrom(salt: number): () => number {
  let state = (seed ^ Math.imul(salt + 1, 0x9e3779b1)) >>> 0
  // mulberry32
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Adds the seed to whatever a check with random input throws. */
export async function seeded<T>(check: () => Promise<T> | T): Promise<T> {
  try {
    return await check()
  } catch (error) {
    throw new Error(`failed with HEADRACE_TEST_SEED=${seed}: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    })
  }
}
