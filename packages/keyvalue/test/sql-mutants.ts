import assert from 'node:assert/strict'
import type { Database, Rows, Statement } from '@headrace/database'
import type { KeyValueDatabase } from '../src/index.ts'

/** A clause of a statement and what a mutant has in its place. */
export interface SqlChange {
  readonly statement: string
  readonly from: string
  readonly to: string
}

/** One clause of each statement, and the promise that rests on it. */
export const sqlMutants: readonly (SqlChange & { readonly kills: string })[] = [
  { statement: 'keyvalue.get', from: 'and expires_at > now()', to: '', kills: 'an expired value is not read' },
  { statement: 'keyvalue.take', from: 'and expires_at > now()', to: '', kills: 'an expired value is not taken' },
  {
    statement: 'keyvalue.set',
    from: ', expires_at = excluded.expires_at',
    to: '',
    kills: 'storing again replaces the value and its time',
  },
  {
    statement: 'keyvalue.set-if-absent',
    from: 'where kv.expires_at <= now()',
    to: '',
    kills: 'of simultaneous setIfAbsent one succeeds, on a new key and on an expired one',
  },
  {
    statement: 'keyvalue.set-if-absent',
    from: 'where kv.expires_at <= now()',
    to: 'where false',
    kills: 'an expired value makes room for setIfAbsent',
  },
  {
    statement: 'keyvalue.compare-and-set',
    from: 'and expires_at > now()',
    to: '',
    kills: 'an expired value is not compared with',
  },
  {
    statement: 'keyvalue.compare-and-set',
    from: 'and value = $2',
    to: 'and $2::text is not null',
    kills: 'of simultaneous compareAndSet one succeeds',
  },
  {
    statement: 'keyvalue.increment',
    from: 'case when kv.expires_at > now() then kv.expires_at else excluded.expires_at end',
    to: 'excluded.expires_at',
    kills: 'later increments do not change the time of a count',
  },
  {
    statement: 'keyvalue.increment',
    from: 'case when kv.expires_at > now() then (kv.value::bigint + 1)::text else excluded.value end',
    to: '(kv.value::bigint + 1)::text',
    kills: 'a count whose time has ended starts again at 1 with a new time',
  },
]

/** The database with one clause of one statement changed. */
export function rewriting(database: Database, { statement, from, to }: SqlChange): KeyValueDatabase {
  return {
    query<R extends object>(sent: Statement): Promise<Rows<R>> {
      if (sent.name !== statement) return database.query<R>(sent)
      assert.ok(sent.text.includes(from), `${statement} has no '${from}'`)
      return database.query<R>({ text: sent.text.replace(from, to), values: sent.values ?? [] })
    },
  }
}
