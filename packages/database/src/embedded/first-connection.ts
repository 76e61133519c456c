import pg from 'pg'
import { databaseName } from './layout.ts'

/** Makes the database in a new cluster; also shows that the server takes our password. */
export async function ensureDatabase(adminUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl, application_name: 'headrace start' })
  client.on('error', () => {})
  try {
    await client.connect()
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [databaseName])
    if (rowCount === 0) await client.query(`create database ${databaseName}`)
  } finally {
    await client.end().catch(() => {})
  }
}
