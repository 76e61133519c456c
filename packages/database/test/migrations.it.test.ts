import assert from 'node:assert/strict'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import { hasCode } from '@headrace/runtime'
import {
  type Database,
  databaseMigrations,
  type MigrationSource,
  migrate,
  openDatabase,
  pendingMigrations,
} from '../src/index.ts'
import { migrateUpTo, testDatabase } from '../src/testing/index.ts'
import { temporaryDirectory } from '../src/testing/temporary.ts'
import { runFixture } from './support/child.ts'

interface Shop extends AsyncDisposable {
  readonly url: string
  readonly database: Database
  readonly source: MigrationSource
  readonly directory: string
  write(file: string, sql: string): Promise<void>
}

/** An empty database and a folder of migrations for schema `shop`. */
async function emptyShop(): Promise<Shop> {
  const test = await testDatabase()
  const temporary = await temporaryDirectory()
  const directory = join(temporary.path, 'migrations')
  await mkdir(directory)
  const database = openDatabase({ url: test.url })
  return {
    url: test.url,
    database,
    directory,
    source: { name: 'shop', schema: 'shop', directory: pathToFileURL(`${directory}/`) },
    write: (file, sql) => writeFile(join(directory, file), sql),
    async [Symbol.asyncDispose]() {
      await database.stop()
      await test[Symbol.asyncDispose]()
      await temporary.remove()
    },
  }
}

const files = (migrations: readonly { readonly file: string }[]) => migrations.map(({ file }) => file)

async function exists(database: Database, table: string): Promise<boolean> {
  const { rows } = await database.query<{ there: boolean }>({
    text: 'select to_regclass($1) is not null as there',
    values: [table],
  })
  return rows[0]?.there === true
}

describe('migrate', () => {
  it('applies what is missing in the order of the files, once, and says what it applied', async () => {
    await using shop = await emptyShop()
    await shop.write('002-second.sql', 'alter table shop.item add column price int')
    await shop.write('001-first.sql', 'create table shop.item (id int); create index on shop.item (id)')
    await shop.write('readme.md', 'not a migration')
    assert.deepEqual(files(await pendingMigrations(shop.database, [shop.source])), ['001-first.sql', '002-second.sql'])
    assert.deepEqual(files(await migrate(shop.database, [shop.source])), ['001-first.sql', '002-second.sql'])
    assert.deepEqual(files(await migrate(shop.database, [shop.source])), [])
    await shop.write('003-third.sql', 'alter table shop.item add column name text')
    assert.deepEqual(files(await pendingMigrations(shop.database, [shop.source])), ['003-third.sql'])
    assert.deepEqual(files(await migrate(shop.database, [shop.source])), ['003-third.sql'])
    await shop.database.query({ text: `insert into shop.item (id, price, name) values (1, 2, 'x')` })
  })

  it('refuses when an applied file was changed, and then applies nothing', async () => {
    await using shop = await emptyShop()
    await shop.write('001-first.sql', 'create table shop.item (id int)')
    await migrate(shop.database, [shop.source])
    await shop.write('001-first.sql', 'create table shop.item (id bigint)')
    await shop.write('002-second.sql', 'create table shop.second ()')
    const changed = (error: unknown) =>
      hasCode(error, 'MIGRATION_CHANGED') && error.message.includes('shop/001-first.sql')
    await assert.rejects(migrate(shop.database, [shop.source]), changed)
    await assert.rejects(pendingMigrations(shop.database, [shop.source]), changed)
    assert.equal(await exists(shop.database, 'shop.second'), false)
  })

  it('applies all or nothing when one fails, and names it', async () => {
    await using shop = await emptyShop()
    await shop.write('001-first.sql', 'create table shop.item (id int)')
    await shop.write('002-second.sql', 'create table shop.second (); select 1/0')
    await assert.rejects(migrate(shop.database, [shop.source]), (error: Error) => {
      assert.match(error.message, /shop\/002-second\.sql/)
      return (error.cause as { code: string }).code === '22012'
    })
    assert.equal(await exists(shop.database, 'shop.item'), false)
    await shop.write('002-second.sql', 'create table shop.second ()')
    assert.equal((await migrate(shop.database, [shop.source])).length, 2)
  })

  it('is done by one of several processes that start at once', async () => {
    await using shop = await emptyShop()
    await shop.write('001-first.sql', 'create table shop.item (id int); select pg_sleep(0.2)')
    await shop.write('002-second.sql', 'create table shop.second ()')
    const ended = await Promise.all(
      Array.from({ length: 4 }, () => runFixture('migrate.ts', [shop.url, shop.directory])),
    )
    for (const { code, errors } of ended) assert.equal(code, 0, errors)
    assert.deepEqual(
      ended.flatMap(({ lines }) => JSON.parse(lines[0] ?? '[]') as string[]),
      ['001-first.sql', '002-second.sql'],
    )
  })

  it('leaves nothing when its process is killed before the commit, and the next one does it all', async () => {
    await using shop = await emptyShop()
    await shop.write('001-first.sql', 'create table shop.item (id int)')
    const killed = await runFixture('migrate.ts', [shop.url, shop.directory], 'migrate.before-commit=kill')
    assert.equal(killed.signal, 'SIGKILL', killed.errors)
    assert.equal((await pendingMigrations(shop.database, [shop.source])).length, 1)
    assert.equal(await exists(shop.database, 'shop.item'), false)
    assert.deepEqual(files(await migrate(shop.database, [shop.source])), ['001-first.sql'])
  })

  it('goes on from a database that knows more than this program', async () => {
    await using shop = await emptyShop()
    await shop.write('001-first.sql', 'create table shop.item (id int)')
    await shop.write('002-second.sql', 'create table shop.second ()')
    await migrate(shop.database, [shop.source])
    await rm(join(shop.directory, '002-second.sql'))
    assert.deepEqual(await migrate(shop.database, [shop.source]), [])
  })
})

describe("this package's migrations", () => {
  it('002 keeps the markers of transactions that committed before it', async () => {
    await using test = await testDatabase()
    await using database = openDatabase({ url: test.url })
    await migrateUpTo(database, [databaseMigrations], '001-markers.sql')
    await database.query({ text: 'insert into headrace.commit_marker (id) values (gen_random_uuid())' })
    const applied = await migrate(database, [databaseMigrations])
    assert.deepEqual(files(applied), ['002-settled.sql'])
    const { rows } = await database.query({ text: 'select settled from headrace.commit_marker' })
    assert.deepEqual(rows, [{ settled: false }])
  })
})
