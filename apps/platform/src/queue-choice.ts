import type { ProviderName, QueueType } from './broker-settings.ts'
import type { PlatformSettings } from './settings.ts'
import { type System, systems } from './stations.ts'

/** What a system asked for as its queue. */
export function queueTypeOf(system: System, settings: PlatformSettings): QueueType {
  const own = {
    pipeline: undefined,
    calculator: settings.CALCULATOR_QUEUE_TYPE,
    shop: settings.SHOP_QUEUE_TYPE,
    orderLookup: settings.ORDER_LOOKUP_QUEUE_TYPE,
    orderIntake: settings.ORDER_INTAKE_QUEUE_TYPE,
  }[system]
  return own ?? settings.QUEUE_TYPE
}

/**
 * The providers that a system's log is carried by. Memory carries only the pipeline, and in a composite only where the
 * process holds both its ends; without another provider messages stay where they are, in the log.
 */
export function providersOf(system: System, settings: PlatformSettings, holdsMemory: boolean): readonly ProviderName[] {
  const type = queueTypeOf(system, settings)
  // The setting admits only these names.
  const all = type === 'composite' ? (settings.COMPOSITE_PROVIDERS as readonly ProviderName[]) : [type]
  const usable = all.filter(
    (name) => name !== 'memory' || (type === 'composite' && system === 'pipeline' && holdsMemory),
  )
  return usable.length > 0 ? usable : ['postgres']
}

/** The providers that carry any system in a process with everything. */
export function providersInUse(settings: PlatformSettings): ReadonlySet<string> {
  return new Set(systems.flatMap((system) => providersOf(system, settings, true)))
}

/** Who must have a message before the pipeline answers; undefined: the log alone. */
export function waitsFor(settings: PlatformSettings): 'all' | 'any' | undefined {
  const type = queueTypeOf('pipeline', settings)
  if (type === 'composite' && settings.COMPOSITE_STRATEGY === 'fail-fast') return 'all'
  if (settings.INGEST_CONFIRM !== 'broker') return undefined
  return type === 'composite' ? 'any' : 'all'
}
