import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Statement } from '@headrace/database'
import * as scenarios from './support/scenarios.ts'
import { type Interception, replaced } from './support/statements.ts'
import { openWorld, type World } from './support/world.ts'

interface Mutant {
  readonly name: string
  readonly change: Interception
}

/** Each promise with what an implementation without it would do. */
const proofs: readonly {
  readonly promise: string
  readonly scenario: scenarios.Scenario
  readonly mutants: readonly Mutant[]
}[] = [
  {
    promise: 'a lane that another has moved is not moved again',
    scenario: scenarios.movedByAnother,
    mutants: [
      {
        name: 'a lane moves from wherever it stands',
        change: replaced('lane.move', 'and l.position = m.position', ''),
      },
    ],
  },
  {
    promise: 'a takeover ends the old owner’s batch',
    scenario: scenarios.zombieAfterTakeover,
    mutants: [
      { name: 'a lane moves at any epoch', change: replaced('lane.move', 'and l.epoch = m.epoch', '') },
      {
        name: 'a takeover leaves the epoch as it is',
        change: replaced('lane.take', 'set epoch = $4', 'set epoch = epoch'),
      },
    ],
  },
  {
    promise: 'an owner that takes its lanes over too late handles nothing',
    scenario: scenarios.lateTakeover,
    // Two mechanisms keep it: the lane's epoch, and the look at one's own leases. Each alone is enough.
    mutants: [],
  },
  {
    promise: 'a batch that fails leaves its lane where it was',
    scenario: scenarios.failsAfterMove,
    mutants: [
      { name: 'the lane moves in a transaction of its own', change: { beside: ({ name }) => name === 'lane.move' } },
    ],
  },
  {
    promise: 'a message waits behind its parked key',
    scenario: scenarios.comesBehindParked,
    mutants: [{ name: 'a batch does not ask for parked keys', change: blindBatches() }],
  },
  {
    promise: 'a closer sees what was queued before it locked the key',
    scenario: scenarios.closerComesLate,
    mutants: [
      {
        name: 'closing without a second look',
        change: replaced('parking.delete-idle', 'and not exists', 'and true or exists'),
      },
    ],
  },
  {
    promise: 'a key that a batch queues behind is not closed',
    scenario: scenarios.closerMeetsBatch,
    mutants: [
      {
        name: '`do nothing` is taken for a lock',
        change: replacedText('parking.lock-keys', 'select key from unnest($3::text[]) as key where $1 <> $2::text'),
      },
    ],
  },
  {
    promise: 'work whose commit got no answer is recorded once',
    scenario: scenarios.askedWhileCommitting,
    // Two mechanisms keep it: giving the key back waits for that commit, and it is asked whether the messages are there.
    mutants: [],
  },
  {
    promise: 'work on a message that was dropped meanwhile is not recorded',
    scenario: scenarios.droppedWhileWorkedOn,
    mutants: [
      {
        name: 'nobody looks whether the messages are still there',
        change: replacedText(
          'parking.delete',
          `with gone as (delete from headrace.parked_message where seq = any($1) returning seq)
           select from unnest($1::bigint[]), (select count(*) from gone) as waited`,
        ),
      },
    ],
  },
  {
    promise: 'keys whose claim got no answer are worked on',
    scenario: scenarios.claimWithoutAnswer,
    mutants: [{ name: 'stray claims are kept', change: replaced('parking.free', 'where', 'where false and') }],
  },
  {
    promise: 'a carrier’s place never leads the lane',
    scenario: scenarios.carrierReadOn,
    mutants: [
      {
        name: 'it is moved one too far',
        change: replaced('carrier.move', '$1, $2, *', '$1, $2, partition, carrier, incarnation, number + 1'),
      },
    ],
  },
  {
    promise: 'only a death of the process counts as one',
    scenario: scenarios.losesSessions,
    mutants: [
      {
        name: 'a trial is kept whatever its end',
        change: replaced('parking.release', 'greatest(trials - 1, 0)', 'trials'),
      },
    ],
  },
]

/** The question for parked keys that goes with the lane's move finds none. */
function blindBatches(): Interception {
  let isBatch = false
  return {
    rewrite(statement) {
      const asks = isBatch && statement.name === 'parking.lock-keys'
      isBatch = statement.name === 'lane.move'
      if (!asks) return statement
      return {
        ...statement,
        name: 'parking.lock-keys.mutant',
        text: statement.text.replace('where', 'where false and'),
      }
    },
  }
}

function replacedText(name: string, text: string): Interception {
  const rewrite = (statement: Statement) =>
    statement.name === name ? { ...statement, name: `${name}.mutant`, text } : statement
  return { rewrite }
}

describe('the inbox and its mutants', { concurrency: 2 }, () => {
  let world: World
  before(async () => {
    world = await openWorld()
  })
  after(() => world[Symbol.asyncDispose]())

  for (const [index, { promise, scenario, mutants }] of proofs.entries()) {
    it(promise, () => scenario(world, `kept-${index}`))
    for (const [which, { name, change }] of mutants.entries()) {
      it(`the proof of it notices: ${name}`, () =>
        assert.rejects(() => scenario(world, `broken-${index}-${which}`, change)))
    }
  }
})
