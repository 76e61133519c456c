import { access, constants } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type Probe, readiness } from '@headrace/http-kit'
import { maskCredentials, messageOf } from '@headrace/runtime'
import { openBrokers } from '../../brokers.ts'
import { providersInUse } from '../../queue-choice.ts'
import { openRedis } from '../../redis.ts'
import type { PlatformSettings } from '../../settings.ts'
import { broken, type Finding } from './finding.ts'

/** Whether the brokers in use and Redis can be talked to by these settings, and whether they answer now. */
export async function examineCarriers(settings: PlatformSettings): Promise<readonly Finding[]> {
  await using stack = new AsyncDisposableStack()
  const probes: Record<string, Probe> = {}
  const findings: Finding[] = []
  const add = (about: string, open: () => Probe | undefined) => {
    try {
      const probe = open()
      if (probe !== undefined) probes[about] = probe
    } catch (error) {
      findings.push(broken(about, error))
    }
  }
  const brokers = stack.use(openBrokers(settings))
  for (const provider of providersInUse(settings)) {
    if (provider === 'postgres' || provider === 'memory') continue
    add(provider, () => {
      const carrier = brokers.open(provider)
      return (signal) => carrier.probe(signal)
    })
  }
  add('redis', () => {
    const redis = stack.use(openRedis(settings, toldByTheProbe))
    return redis && (() => redis.probe())
  })
  return [...findings, ...(await answersOf(probes))]
}

function toldByTheProbe(): void {}

async function answersOf(probes: Readonly<Record<string, Probe>>): Promise<readonly Finding[]> {
  const failures = new Map<string, string>()
  const onFailure = (about: string, cause: unknown) => void failures.set(about, maskCredentials(messageOf(cause)))
  await readiness(probes, { onFailure }).check()
  return Object.keys(probes).map((about): Finding => {
    const text = failures.get(about)
    if (text === undefined) return { about, state: 'ok', text: 'answers' }
    return { about, state: 'note', text, fix: 'a start succeeds without it, and goes on by itself once it answers' }
  })
}

/** Whether the user's own processor is there. It is not run. */
export async function examineFunction({ PROCESSOR_FUNCTION: path }: PlatformSettings): Promise<readonly Finding[]> {
  if (path === undefined) return []
  const about = 'function'
  const text = `PROCESSOR_FUNCTION is '${path}'`
  try {
    await access(resolve(path), constants.R_OK)
    return [{ about, state: 'ok', text }]
  } catch (error) {
    return [{ about, state: 'broken', text: `${text}: ${messageOf(error)}`, fix: 'correct the path or unset it' }]
  }
}
