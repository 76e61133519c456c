/** Waits for a condition; fails after 5 s and names what was missing. */
export async function until(condition: () => boolean, missing: string): Promise<void> {
  const deadline = performance.now() + 5000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited 5 s in vain for ${missing}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
