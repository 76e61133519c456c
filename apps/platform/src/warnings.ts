import { isLoopback } from '@headrace/http-kit'
import { type Environment, nearMisses, settingNames } from '@headrace/runtime'
import { authRequired } from './identities.ts'
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

function idleBrokers(env: Environment, { QUEUE_TYPE }: PlatformSettings): string[] {
  return ['KAFKA_BROKERS', 'NATS_URL']
    .filter((name) => (env[name] ?? '').trim() !== '')
    .map((name) => `${name} is set and chooses nothing: QUEUE_TYPE is ${QUEUE_TYPE}`)
}

function volatile({ QUEUE_TYPE }: PlatformSettings): string[] {
  if (QUEUE_TYPE !== 'memory') return []
  return ['QUEUE_TYPE is memory: what is accepted and not yet processed is lost with the process']
}
