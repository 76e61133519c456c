/** A sum of products as a balanced tree: as wide as it can be. */
export function wide(products: number, from = 0): string {
  if (products === 1) return `${from + 2}*${from + 3}`
  const half = products >> 1
  return `(${wide(half, from)}+${wide(products - half, from + half)})`
}

/** Operations that wait for each other. */
export function deep(operations: number): string {
  return `1${'+1'.repeat(operations)}`
}

/** The least time in ms that so many workers can need, by levels: each level of a tree waits for the one before. */
export function idealMs(products: number, workers: number, operationMs: number): number {
  let rounds = 0
  for (let left = products; left >= 1; left >>= 1) rounds += Math.ceil(left / workers)
  return rounds * operationMs
}
