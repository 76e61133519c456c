import { sleep } from '@headrace/runtime'

/** One sentence that every driver keeps, and what shows it. */
export interface DriverPromise<Fixture extends AsyncDisposable> {
  /** In the present tense, readable without the code. */
  readonly name: string
  /** Rejects when the promise is broken. Makes its fixture and disposes of it. */
  prove(make: () => Promise<Fixture>): Promise<void>
}

/** A promise whose proof uses one fixture. */
export function driverPromise<Fixture extends AsyncDisposable>(
  name: string,
  proof: (fixture: Fixture) => Promise<void>,
): DriverPromise<Fixture> {
  return {
    name,
    async prove(make) {
      await using fixture = await make()
      await proof(fixture)
    },
  }
}

const deadlineMs = 5_000

/** Waits until the condition holds; after 5 s throws an error that names what was missing. */
export async function until(missing: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + deadlineMs
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${missing}`)
    await sleep(5)
  }
}
