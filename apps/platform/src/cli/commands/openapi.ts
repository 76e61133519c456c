import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nullLogger } from '@headrace/runtime'
import type { Command } from 'commander'
import { startPlatform } from '../../platform.ts'
import { platformSettings } from '../../settings.ts'
import { CommandFailure } from '../exit-codes.ts'
import { newCommand, withExamples } from '../program.ts'
import type { Terminal } from '../terminal.ts'

/**
 * `headrace openapi`: the description of the API. Routes are described by what validates them, so the program is
 * started for it: on free ports, on a database that is thrown away, whatever is configured or running.
 */
export function openapiCommand(terminal: Terminal): Command {
  const command = newCommand('openapi').action(async () => terminal.out(await description()))
  return withExamples(command, ['headrace openapi > openapi.json'])
}

async function description(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'headrace-openapi-'))
  try {
    const env = { ...freePorts(), HEADRACE_DATA: directory }
    const platform = await startPlatform({ env, logger: nullLogger })
    try {
      return await fetchDescription(platform.addresses)
    } finally {
      await platform.stop()
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

function freePorts(): Record<string, string> {
  return Object.fromEntries(
    Object.keys(platformSettings)
      .filter((name) => name.endsWith('_PORT'))
      .map((name) => [name, '0']),
  )
}

async function fetchDescription(
  addresses: readonly { readonly name: string; readonly url: string }[],
): Promise<string> {
  const gateway = addresses.find(({ name }) => name === 'gateway')
  if (gateway === undefined) throw new CommandFailure('the gateway did not start')
  const answer = await fetch(new URL('/openapi.json', gateway.url))
  if (!answer.ok) throw new CommandFailure(`${answer.url} answered ${answer.status}`)
  return JSON.stringify(await answer.json(), null, 2)
}
