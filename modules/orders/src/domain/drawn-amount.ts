const leastMinor = 10_000
const mostMinor = 100_000

/** The amount of an order that names none, drawn evenly from 100.00 to 1000.00. `random` gives numbers from 0 to below 1. */
export function drawnAmount(random: () => number): number {
  return leastMinor + Math.floor(random() * (mostMinor - leastMinor + 1))
}
