import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { dropPassedChildren } from '@headrace/log'
import { noFaults } from '@headrace/runtime'
import { TableCarrier } from './support/table-carrier.ts'
import { type Counts, keys, type Member, openWorld, produce, relayed } from './support/world.ts'

const hourMs = 3_600_000

describe('retention', () => {
  let world: Member
  before(async () => {
    world = await openWorld()
  })
  after(() => world[Symbol.asyncDispose]())

  it('keeps what a provider in use does not have, and waits for none that is not in use any more', async () => {
    const counts: Counts = new Map()
    const away = new TableCarrier(world.database, 'away')
    const well = new TableCarrier(world.database, 'well')
    away.mood = () => 'refuses'
    const before = await world.carry('kept', [away, well])
    await produce(world.log, 'kept', counts, 2)
    await relayed(world, 'kept', 'well')
    await age()
    assert.deepEqual(await drop(), [])

    away.mood = () => 'well'
    await relayed(world, 'kept', 'away')
    await produce(world.log, 'kept', counts, 2)
    await relayed(world, 'kept', 'away')
    await relayed(world, 'kept', 'well')
    assert.equal((await drop()).length, 1)

    away.mood = () => 'refuses'
    await produce(world.log, 'kept', counts, 1)
    await relayed(world, 'kept', 'well')
    await before.stop()
    await using _after = await world.carry('kept', [well])
    await age()
    assert.equal((await drop()).length, 1)
    assert.equal(counts.get(keys[0] ?? ''), 5)
  })

  /** Moves what the log holds into the past: the child of this hour becomes one of some hours ago. */
  async function age(): Promise<void> {
    hoursAgo -= 1
    const { rows } = await world.database.query<{ name: string; lower: string; upper: string }>({
      text: `select to_char(h at time zone 'utc', '"log_"YYYYMMDDHH24') as name, h::text as lower,
                    (h + interval '1 hour')::text as upper
             from (select date_trunc('hour', now(), 'utc') - $1 * interval '1 hour' as h) as past`,
      values: [hoursAgo],
    })
    const { name = '', lower, upper } = rows[0] ?? {}
    await world.database.query({
      text: `create table headrace.${name} (like headrace.log including all);
             alter table headrace.log attach partition headrace.${name} for values from ('${lower}') to ('${upper}');
             update headrace.log set at = '${lower}'::timestamptz + interval '1 minute'
               where at >= date_trunc('hour', now(), 'utc') - interval '1 hour'`,
    })
  }

  let hoursAgo = 60

  function drop(): Promise<readonly string[]> {
    const onError = (error: unknown) => assert.fail(String(error))
    return dropPassedChildren({ database: world.database, faults: noFaults, onError }, 10 * hourMs)
  }
})
