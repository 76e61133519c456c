import { PlatformError } from '@headrace/runtime'
import type { Queryable } from './types.ts'

const oldestSupported = 15

/** Asks the server for its version; throws `DATABASE_VERSION` when it is older than PostgreSQL 15. */
export async function requireSupportedServer(database: Queryable): Promise<string> {
  const { rows } = await database.query<{ number: string; version: string }>({
    text: `select current_setting('server_version_num') as number, current_setting('server_version') as version`,
  })
  const { number, version } = rows[0] ?? { number: '0', version: 'unknown' }
  if (Number(number) >= oldestSupported * 10_000) return version
  const message = `PostgreSQL ${version} is too old: Headrace needs ${oldestSupported} or newer`
  throw new PlatformError('DATABASE_VERSION', message, { details: { version } })
}
