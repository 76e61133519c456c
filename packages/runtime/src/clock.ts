/** The time, as something that can be passed in and held still in tests. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
}

/** The machine's clock. Durable deadlines use the database's clock instead. */
export const systemClock: Clock = { now: () => Date.now() }
