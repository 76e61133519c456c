import { resolve } from 'node:path'
import type { Platform } from '../platform.ts'
import type { Address } from '../servers.ts'
import type { PlatformSettings } from '../settings.ts'
import { databasePlace } from './database-place.ts'

/** What is worth knowing about a process that has just become ready. */
export interface ReadyReport {
  readonly addresses: readonly Address[]
  readonly roles: readonly string[]
  /** Where the data is, without secrets. */
  readonly data: string
  readonly durability: 'disk' | 'memory'
  readonly startedInMs: number
}

export function readyReport(platform: Platform, settings: PlatformSettings, startedInMs: number): ReadyReport {
  return {
    addresses: platform.addresses,
    roles: platform.roles,
    data: dataPlace(settings),
    durability: settings.QUEUE_TYPE === 'memory' ? 'memory' : 'disk',
    startedInMs: Math.round(startedInMs),
  }
}

/** Where the data of a process with these settings is, without secrets. */
export function dataPlace({ DATABASE_URL, HEADRACE_DATA }: PlatformSettings): string {
  return DATABASE_URL === undefined ? `${resolve(HEADRACE_DATA)} (embedded PostgreSQL)` : databasePlace(DATABASE_URL)
}

/** What a durability survives, in a few words for people. */
export function survives(durability: ReadyReport['durability']): string {
  return durability === 'disk'
    ? 'disk: what was accepted survives the kill of any process'
    : 'memory: what was accepted and not yet processed is lost with the process'
}
