import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type TestDatabase, testDatabase } from '@headrace/database/testing'
import { startLive } from '../src/index.ts'
import { type Mutation, mutantOf } from './support/mutant.ts'
import { migrateLive } from './support/replica.ts'
import * as scenarios from './support/scenarios.ts'

interface Mutant {
  readonly name: string
  readonly changes: readonly Mutation[]
}

/** Each promise with what an implementation without it would do. */
const proofs: readonly {
  readonly promise: string
  readonly scenario: scenarios.Scenario
  readonly mutants: readonly Mutant[]
}[] = [
  {
    promise: 'a client that is cut at every event and moved between replicas gets each id once, from 1 to the last',
    scenario: scenarios.cutAtEveryEvent,
    mutants: [
      {
        name: 'a stream that resumes goes on from the head',
        changes: [{ file: 'live.ts', from: 'const position = resumed ?? head', to: 'const position = head' }],
      },
      {
        name: 'a stream that resumes repeats the last event',
        changes: [{ file: 'hub.ts', from: 'name, connection.position)', to: 'name, connection.position - 1)' }],
      },
    ],
  },
  {
    promise: 'a client that stays gets each id once, whatever becomes of the hints',
    scenario: scenarios.unreliableHints,
    mutants: [
      {
        name: 'a hint is sent as it comes',
        changes: [
          {
            file: 'sequence.ts',
            from: 'this.#ahead.set(seq, eventFrame(seq, content.event, content.json))',
            to: 'if (this.#position !== undefined) this.#go(seq, eventFrame(seq, content.event, content.json))',
          },
        ],
      },
    ],
  },
  {
    promise: 'without any hint events arrive with the next look at the heads',
    scenario: scenarios.noHints,
    mutants: [
      {
        name: 'nobody looks at the heads',
        changes: [{ file: 'hub.ts', from: 'this.hear((await', to: 'void ((await' }],
      },
    ],
  },
  {
    promise: 'a lost hint shows with the next one, and the hole is filled at once',
    scenario: scenarios.holeInHints,
    mutants: [
      {
        name: 'a hint is trusted without filling the hole before it',
        changes: [
          {
            file: 'sequence.ts',
            from: 'this.#ahead.set(seq, eventFrame(seq, content.event, content.json))',
            to: 'if (this.#position !== undefined) this.#go(seq, eventFrame(seq, content.event, content.json))',
          },
        ],
      },
      {
        name: 'a hole waits for the poll',
        changes: [{ file: 'hub.ts', from: 'subject.sequence.missingAfter === undefined', to: 'true' }],
      },
    ],
  },
  {
    promise: 'what happens while a stream begins is sent at once',
    scenario: scenarios.publishedWhileConnecting,
    mutants: [
      {
        name: 'the subject is registered after the head is read',
        changes: [
          { file: 'hub.ts', from: 'this.#subjects.set(name, subject)', to: '' },
          {
            file: 'hub.ts',
            from: 'subject.connections.add(connection)',
            to: 'subject.connections.add(connection); this.#subjects.set(subject.name, subject)',
          },
        ],
      },
    ],
  },
  {
    promise: 'a client that resumes while events go on gets both without a seam',
    scenario: scenarios.resumesWhileEventsGoOn,
    mutants: [
      {
        name: 'a connection is live before it has caught up',
        changes: [
          {
            file: 'hub.ts',
            from: 'connection.isLive = connection.position >= connection.subject.sequence.sent',
            to: 'connection.position = connection.subject.sequence.sent; connection.isLive = true',
          },
        ],
      },
      {
        name: 'catching up ends after a page',
        changes: [
          {
            file: 'hub.ts',
            from: 'while (!connection.isClosed && connection.position < sequence.sent) {',
            to: 'for (const _ of [1]) {',
          },
          { file: 'connection.ts', from: 'if (this.position < batch.from) return false', to: '' },
        ],
      },
    ],
  },
  {
    promise: 'a client that does not read is cut off with its position intact and delays nobody',
    scenario: scenarios.slowReader,
    mutants: [
      {
        name: 'what waits for a client has no limit',
        changes: [{ file: 'connection.ts', from: 'this.#answer.writableLength > this.#bufferLimitBytes', to: 'false' }],
      },
      {
        name: 'a slow reader is passed over',
        changes: [{ file: 'connection.ts', from: ') this.#giveUp()\n    else', to: ') return\n    else' }],
      },
    ],
  },
  {
    promise: 'a position older than what is kept gets the present state and then all that follows',
    scenario: scenarios.olderThanRetention,
    mutants: [
      {
        name: 'a hole in the table is passed over',
        changes: [{ file: 'store.ts', from: 'seq === from + page.length + 1', to: 'true' }],
      },
      {
        name: 'the state is read before the position',
        changes: [
          { file: 'hub.ts', from: 'const head = await this.#needs.store.head(connection.subject.name)', to: '' },
          {
            file: 'hub.ts',
            from: 'const json = encodeData(await connection.snapshot())',
            to: `const json = encodeData(await connection.snapshot())
                 const head = await this.#needs.store.head(connection.subject.name)`,
          },
        ],
      },
    ],
  },
]

describe('live streams', () => {
  let testBase: TestDatabase

  before(async () => {
    testBase = await testDatabase({ name: 'live' })
    await migrateLive(testBase.url)
  })

  after(() => testBase[Symbol.asyncDispose]())

  for (const { promise, scenario } of proofs) {
    it(promise, () => scenario({ url: testBase.url, start: startLive, deadlineMs: 30_000 }))
  }

  // Side by side: a mutant may take a deadline to be found.
  describe('are not proved by accident:', { concurrency: 4 }, () => {
    for (const { promise, scenario, mutants } of proofs) {
      for (const { name, changes } of mutants) {
        it(`when ${name}, it is not true that ${promise}`, async () => {
          const start = await mutantOf(changes)
          await assert.rejects(scenario({ url: testBase.url, start, deadlineMs: 3_000 }))
        })
      }
    }
  })
})
