import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { databaseMigrations, migrate, openDatabase } from '@headrace/database'
import { migrateUpTo, testDatabase } from '@headrace/database/testing'
import { partitionOf } from '@headrace/transport'
import { logMigrations } from '../src/index.ts'
import { message, startProcess } from './support/process.ts'

const sources = [databaseMigrations, logMigrations]
const files = (await readdir(logMigrations.directory)).filter((name) => name.endsWith('.sql')).sort()

describe("the log's migrations", () => {
  for (const [index, file] of files.entries()) {
    it(`keep what was appended by the version that knew ${file}, and go on behind it`, async () => {
      await using test = await testDatabase()
      await using database = openDatabase({ url: test.url, maxConnections: 2 })
      await migrateUpTo(database, sources, file)
      // What every version can do by itself: a topic, its heads, a child of this hour and a message in it.
      await database.query({ text: oldVersion })
      assert.equal((await migrate(database, sources)).length, files.length - 1 - index)
      await using process = await startProcess(test.url)
      await process.log.declareTopic('t')
      const key = 'k'
      await process.log.inTransaction((tx) => tx.append(message('t', 'new', { key })))
      const range = { topic: 't', partition: partitionOf(key), from: 1, sinceMs: 0, maxMessages: 10, maxBytes: 1_000 }
      const read = await process.log.read(range)
      assert.deepEqual(
        read.map(({ id, position }) => [id, position]),
        [
          ['old', 1],
          ['new', 2],
        ],
      )
    })
  }
})

const oldVersion = `
  do $$
  declare h timestamptz := date_trunc('hour', now());
  begin
    insert into headrace.log_topic values ('t', 16);
    insert into headrace.log_head (topic, partition, next_offset, last_at)
      select 't', p, 2, now() from generate_series(0, 15) p;
    execute format('create table headrace.%s (like headrace.log including all)', to_char(h at time zone 'utc', '"log_"YYYYMMDDHH24'));
    execute format('alter table headrace.log attach partition headrace.%s for values from (%L) to (%L)',
      to_char(h at time zone 'utc', '"log_"YYYYMMDDHH24'), h, h + interval '1 hour');
    insert into headrace.log (topic, partition, "offset", at, key, message_id, type, headers, body, bytes)
      select 't', p, 1, now(), 'k', 'old', 'x', '', '', 10 from generate_series(0, 15) p;
  end $$`
