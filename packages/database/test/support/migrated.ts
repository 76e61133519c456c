import { type Database, type DatabaseOptions, databaseMigrations, migrate, openDatabase } from '../../src/index.ts'
import { testDatabase } from '../../src/testing/index.ts'

export interface MigratedDatabase extends AsyncDisposable {
  readonly url: string
  readonly database: Database
}

/** An empty database with this package's tables, and a pool on it. */
export async function migratedDatabase(options: Omit<DatabaseOptions, 'url'> = {}): Promise<MigratedDatabase> {
  const test = await testDatabase()
  const database = openDatabase({ url: test.url, ...options })
  await migrate(database, [databaseMigrations])
  return {
    url: test.url,
    database,
    async [Symbol.asyncDispose]() {
      await database.stop()
      await test[Symbol.asyncDispose]()
    },
  }
}

/** A table of texts to see what was committed. */
export async function noteTable(database: Database): Promise<{ all(): Promise<string[]> }> {
  await database.query({ text: 'create table note (text text not null)' })
  return {
    async all() {
      const { rows } = await database.query<{ text: string }>({ text: 'select text from note order by ctid' })
      return rows.map(({ text }) => text)
    },
  }
}

/** The statement that writes a note. */
export function note(text: string) {
  return { name: 'note.insert', text: 'insert into note (text) values ($1)', values: [text] }
}
