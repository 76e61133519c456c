import { freePort } from '../services/ports.ts'
import { type Call, stepsOf } from './page.ts'
import { Session } from './session.ts'

/** A call with what it really wrote, as the page would show it. */
export interface Outcome {
  readonly call: Call
  readonly output: readonly string[]
}

/** The ports that pages speak of, and the variables that change them. */
const ports = {
  8080: 'API_PORT',
  8081: 'INGEST_PORT',
  8082: 'PROCESSOR_PORT',
  8083: 'INTERNAL_PORT',
  8090: 'CALCULATOR_PORT',
  3000: 'CONSOLE_PORT',
} as const
const shownDirectory = '/path/to/headrace'

/** Makes every call of a page in one shell, in a directory of its own and on free ports. */
export async function runPage(markdown: string): Promise<readonly Outcome[]> {
  const places = await Promise.all(
    Object.entries(ports).map(async ([shown, name]) => ({ shown, name, real: await freePort() })),
  )
  await using session = await Session.open(Object.fromEntries(places.map(({ name, real }) => [name, String(real)])))
  const toReal = (text: string) =>
    places.reduce((all, { shown, real }) => all.replaceAll(portText(shown), real.toString()), text)
  const toShown = (text: string) =>
    places
      .reduce((all, { shown, real }) => all.replaceAll(`:${real}`, `:${shown}`), text)
      .replaceAll(session.directory, shownDirectory)
  const outcomes: Outcome[] = []
  for (const step of stepsOf(markdown)) {
    if (step.kind === 'file') await session.writeFile(step.name, step.text)
    else outcomes.push({ call: step, output: linesOf(toShown(await session.run(toReal(step.command)))) })
  }
  return outcomes
}

/** A port as pages name it: in an address, or given to a process without the gateway. */
function portText(port: string): RegExp {
  return new RegExp(`(?<=\\blocalhost:|\\bPORT=)${port}\\b`, 'g')
}

function linesOf(text: string): readonly string[] {
  const whole = text.replace(/\n$/, '')
  return whole === '' ? [] : whole.split('\n').map((line) => line.trimEnd())
}
