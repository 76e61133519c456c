import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'

/** Records where this process spends its processor time while `action` runs, for the DevTools of any Chromium. */
export async function profiled<T>(path: string, action: () => Promise<T>): Promise<T> {
  const session = new Session()
  session.connect()
  try {
    await session.post('Profiler.enable')
    await session.post('Profiler.setSamplingInterval', { interval: 500 })
    await session.post('Profiler.start')
    const result = await action()
    const { profile } = await session.post('Profiler.stop')
    writeFileSync(path, JSON.stringify(profile))
    return result
  } finally {
    session.disconnect()
  }
}
