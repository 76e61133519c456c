import assert from 'node:assert/strict'
import type { Database, Queryable } from '@headrace/database'
import { untilTrue } from '@headrace/database/testing'
import type { Delivery, Effect, Handle } from '../../src/index.ts'

/** The table in which handlers leave their effects, in the order in which they happened. */
export async function declareEffects(database: Database): Promise<void> {
  await database.query({
    text: `create table if not exists effect (
             n bigint generated always as identity primary key, run text not null, key text not null, id text not null)`,
  })
}

/** Leaves the effects of messages in the transaction at hand. */
export async function recordEffects(tx: Queryable, run: string, messages: readonly Delivery[]): Promise<void> {
  await tx.query({
    name: 'test.effects',
    text: `insert into effect (run, key, id) select $1, key, id from unnest($2::text[], $3::text[]) as e(key, id)`,
    values: [run, messages.map(({ key }) => key), messages.map(({ id }) => id)],
  })
}

/** A handler whose only effect is that it happened; `each` may throw or wait. */
export function recording(run: string, each: (message: Delivery) => Promise<void> | void = () => {}): Handle {
  return async (tx, messages) => {
    for (const message of messages) await each(message)
    await recordEffects(tx, run, messages)
  }
}

/** What `work` returns for a message: its effect, to be recorded. */
export function effectOf(run: string, message: Delivery): Effect {
  return (tx) => recordEffects(tx, run, [message])
}

/** Message ids by key, in the order of their effects. */
export async function effectsOf(database: Queryable, run: string): Promise<Map<string, string[]>> {
  const { rows } = await database.query<{ key: string; id: string }>({
    text: 'select key, id from effect where run = $1 order by n',
    values: [run],
  })
  const effects = new Map<string, string[]>()
  for (const { key, id } of rows) effects.set(key, [...(effects.get(key) ?? []), id])
  return effects
}

export async function countEffects(database: Queryable, run: string): Promise<number> {
  const { rows } = await database.query<{ count: number }>({
    text: 'select count(*) as count from effect where run = $1',
    values: [run],
  })
  return rows[0]?.count ?? 0
}

/** What the effects of a run must be: of each key its messages, once, in order. */
export function expectedEffects(counts: ReadonlyMap<string, number>): Map<string, string[]> {
  return new Map([...counts].map(([key, count]) => [key, Array.from({ length: count }, (_, n) => `${key}#${n + 1}`)]))
}

/** Waits until as many effects are there as were produced, then proves that they are the right ones. */
export async function effectsComplete(
  database: Queryable,
  run: string,
  counts: ReadonlyMap<string, number>,
  deadlineMs = 60_000,
): Promise<void> {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
  await untilTrue(
    `${total} effects of ${run}`,
    async () => (await countEffects(database, run)) >= total,
    deadlineMs,
  ).catch(async (error: unknown) => {
    assertEffects(await effectsOf(database, run), counts)
    throw error
  })
  assertEffects(await effectsOf(database, run), counts)
}

/** Fails on the first key whose effects are not its messages, once, in order. */
export function assertEffects(
  effects: ReadonlyMap<string, readonly string[]>,
  counts: ReadonlyMap<string, number>,
): void {
  const sorted = (map: ReadonlyMap<string, readonly string[]>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1))
  const wrong = sorted(expectedEffects(counts)).filter(([key, ids]) => ids.join() !== (effects.get(key) ?? []).join())
  const shown = wrong
    .slice(0, 3)
    .map(([key]) => `${key}: ${(effects.get(key) ?? []).join(' ')} of ${counts.get(key) ?? 0}`)
  assert.equal(wrong.length, 0, `keys whose effects are not their messages, once, in order:\n${shown.join('\n')}`)
  assert.deepEqual(
    [...effects.keys()].filter((key) => !counts.has(key)),
    [],
    'keys that nobody produced',
  )
}

/** What is left in the queue of a group: nothing, once all is done. */
export async function queueLeft(database: Queryable, group: string) {
  const { rows } = await database.query<{ keys: number; queued: number; dead: number; owned: number }>({
    text: `select (select count(*) from headrace.parked_key where group_name = $1) as keys,
                  (select count(*) from headrace.parked_key where group_name = $1 and owner is not null) as owned,
                  (select count(*) from headrace.parked_message where group_name = $1 and state = 'queued') as queued,
                  (select count(*) from headrace.parked_message where group_name = $1 and state = 'dead') as dead`,
    values: [group],
  })
  const row = rows[0]
  assert(row !== undefined)
  return row
}

export async function queueEmpty(database: Queryable, group: string, deadlineMs = 30_000): Promise<void> {
  const empty = async () => {
    const { keys, queued } = await queueLeft(database, group)
    return keys === 0 && queued === 0
  }
  await untilTrue(`nothing of ${group} is parked`, empty, deadlineMs).catch(async (error: unknown) => {
    throw new Error(`left: ${JSON.stringify(await queueLeft(database, group))}`, { cause: error })
  })
}
