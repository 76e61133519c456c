/** Waits for a condition; fails after 30 s and names what was missing. */
export async function until(condition: () => boolean, missing: string): Promise<void> {
  const deadline = performance.now() + 30_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited 30 s in vain for ${missing}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
