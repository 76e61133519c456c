import { isLoopback } from '@headrace/http-kit'
import { type Environment, nearMisses, settingNames } from '@headrace/runtime'
import { authRequired } from './identities.ts'
import { providersInUse } from './queue-choice.ts'
import { otherVariables, type PlatformSettings, platformSettings } from './settings.ts'

/** What is set and probably not meant so; the start goes on. */
export function warningsOf(env: Environment, settings: PlatformSettings): string[] {
  const known = [...settingNames(platformSettings), ...otherVariables]
  const misspelt = nearMisses(known, env).map(
    ({ name, meant }) => `${name} is set and read by nobody: is ${meant} meant?`,
  )
  return [...misspelt, ...idleBrokers(env, settings), ...volatile(settings), ...everybodys(settings)]
}

function everybodys(settings: PlatformSettings): string[] {
  if (authRequired(settings) || isLoopback(settings.HOST)) return []
  return [`AUTH_REQUIRED is false and HOST is ${settings.HOST}: whoever reaches this machine may act for anybody`]
}

const brokerVariables = { kafka: 'KAFKA_BROKERS', nats: 'NATS_URL' } as const

function idleBrokers(env: Environment, settings: PlatformSettings): string[] {
  const used = providersInUse(settings)
  return (['kafka', 'nats'] as const)
    .filter((provider) => (env[brokerVariables[provider]] ?? '').trim() !== '' && !used.has(provider))
    .map((provider) => `${brokerVariables[provider]} is set and chooses nothing: QUEUE_TYPE is ${settings.QUEUE_TYPE}`)
}

function volatile(settings: PlatformSettings): string[] {
  if (settings.QUEUE_TYPE !== 'memory') return []
  const others = 'the pipeline’s messages only; the other systems’ stay on postgres'
  return [`QUEUE_TYPE is memory: what is accepted and not yet processed is lost with the process (${others})`]
}
