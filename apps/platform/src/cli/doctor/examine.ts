import { hasCode } from '@headrace/runtime'
import { authRequired, requireKeys } from '../../identities.ts'
import { sourcesAt } from '../../migrations.ts'
import { type PlatformSettings, platformSettings } from '../../settings.ts'
import { placesOf, stationNames } from '../../stations.ts'
import { warningsOf } from '../../warnings.ts'
import type { LoadedEnvironment } from '../environment.ts'
import { type Occupant, occupantOf } from '../running-file.ts'
import { allSettings, storageSettings } from '../settings.ts'
import { version } from '../version.ts'
import { examineCarriers, examineFunction } from './carriers.ts'
import { examineDataDirectory } from './data-directory.ts'
import { examineDatabase } from './database.ts'
import { broken, type Finding } from './finding.ts'
import { examinePorts } from './ports.ts'
import { examineSettings } from './settings.ts'

const oldestNode = 24

/** Looks at everything that a start needs, and changes nothing. */
export async function examine(loaded: LoadedEnvironment, note: (line: string) => void): Promise<readonly Finding[]> {
  const findings = [examineProgram(), ...examineSettings(platformSettings, loaded)]
  const settings = unlessMalformed(() => allSettings(loaded.env))
  const storage = unlessMalformed(() => storageSettings(loaded.env))
  const occupant =
    storage && storage.DATABASE_URL === undefined ? await occupantOrNone(storage.HEADRACE_DATA) : undefined
  if (settings !== undefined)
    findings.push(
      ...consequences(loaded, settings),
      await examineTokens(settings),
      ...(await examinePorts(settings, occupant)),
      ...(await examineCarriers(settings)),
      ...(await examineFunction(settings)),
    )
  if (storage === undefined) return findings
  const { DATABASE_URL: databaseUrl, HEADRACE_DATA: dataDirectory } = storage
  if (databaseUrl === undefined) findings.push(...(await examineDataDirectory(dataDirectory, occupant)))
  for (const place of placesOf(new Set(stationNames), storage)) {
    const isMain = place.url === databaseUrl
    const about = isMain ? 'database' : `database of ${place.stations.join(' and ')}`
    const needs = { databaseUrl: place.url, dataDirectory, note }
    findings.push(...(await examineDatabase(needs, sourcesAt(place, storage), about)))
  }
  return findings
}

function examineProgram(): Finding {
  const text = `Headrace ${version} on Node ${process.versions.node}, ${process.platform}-${process.arch}`
  const old = Number(process.versions.node.split('.')[0]) < oldestNode
  const fix = `it needs Node ${oldestNode} or newer: \`npm ci\` installs one for this folder`
  return old ? { about: 'program', state: 'broken', text, fix } : { about: 'program', state: 'ok', text }
}

/** What the settings lead to, and what they do not although somebody may think so. */
function consequences({ env }: LoadedEnvironment, settings: PlatformSettings): readonly Finding[] {
  const warnings = warningsOf(env, settings).map((text): Finding => ({ about: 'settings', state: 'note', text }))
  return [{ about: 'queue', state: 'ok', text: `QUEUE_TYPE=${settings.QUEUE_TYPE}` }, ...warnings]
}

/** Who has to say who they are, and whether what signs tokens will do. */
async function examineTokens(settings: PlatformSettings): Promise<Finding> {
  try {
    await requireKeys(settings)
  } catch (error) {
    return broken('tokens', error)
  }
  const text = authRequired(settings) ? 'needed for what is a person’s' : 'not needed'
  return { about: 'tokens', state: 'ok', text: `${text} (AUTH_REQUIRED, HOST)` }
}

async function occupantOrNone(dataDirectory: string): Promise<Occupant | undefined> {
  // A directory that cannot be read is told of where it is looked at.
  return occupantOf(dataDirectory).catch(() => undefined)
}

function unlessMalformed<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (!hasCode(error, 'INVALID_SETTING')) throw error
    return undefined
  }
}
