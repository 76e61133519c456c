// `make load-test N=1000 C=10`: sends messages to what runs, waits until they are processed, and says what was lost or doubled.
import { loadTest } from './load-test/load-test.ts'
import { readOptions, UsageError } from './load-test/options.ts'

try {
  process.exitCode = await loadTest(readOptions(process.argv.slice(2), process.env))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(error.message)
  process.exitCode = 2
}
