import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Database, databaseMigrations, migrate, openDatabase } from '@headrace/database'
import { testDatabase } from '@headrace/database/testing'
import { httpKitMigrations } from '@headrace/http-kit'
import type { Log } from '@headrace/log'
import { hasCode, noFaults, PlatformError } from '@headrace/runtime'
import { type Message, memoryTransport, partitionOf } from '@headrace/transport'
import type { Backlog } from '../src/backlog.ts'
import type { Intake } from '../src/intake/intake.ts'
import { withKeys } from '../src/intake/keyed-intake.ts'
import { logIntake } from '../src/intake/log-intake.ts'
import { memoryIntake } from '../src/intake/memory-intake.ts'
import { type Acceptable, keyedAccepting } from '../src/routes/accepting.ts'

const request: Acceptable = {
  route: '/ingest',
  body: { data: 'x' },
  messages: (id): Message[] => [{ id, key: 'k', type: 't', headers: {}, body: Buffer.from('x') }],
  response: (messageId) => ({ status: 200, body: { messageId } }),
}

/** A carrier outside the database whose next outcomes are given. */
function carrier(outcomes: (PlatformError | undefined)[]): Intake & { readonly ids: string[] } {
  const ids: string[] = []
  return {
    ids,
    durability: 'memory',
    async accept({ messages }) {
      ids.push(...messages.map(({ id }) => id))
      const error = outcomes.shift()
      if (error !== undefined) throw error
    },
    async drain() {},
  }
}

function ids(): () => string {
  let last = 0
  return () => {
    last += 1
    return `id-${last}`
  }
}

const room = { isFull: false } as Backlog // of which nothing else is asked
const unknown = new PlatformError('OUTCOME_UNKNOWN', 'no answer')
const refused = new PlatformError('QUEUE_FULL', 'full')

describe('a request with an Idempotency-Key over a carrier outside the database', { timeout: 240_000 }, () => {
  const stack = new AsyncDisposableStack()
  let database: Database
  before(async () => {
    const { url } = stack.use(await testDatabase())
    database = stack.use(openDatabase({ url, maxConnections: 4 }))
    await migrate(database, [databaseMigrations, httpKitMigrations])
  })
  after(() => stack.disposeAsync())

  const failed = (error: unknown) => {
    throw error
  }

  it('whose outcome nobody knew is repeated with the same id, also by another process', async () => {
    const sent = carrier([unknown, unknown, undefined])
    const newId = ids()
    const process = () => keyedAccepting({ database, intake: withKeys(sent, database, failed), backlog: room, newId })
    const [one, other] = [process(), process()]
    await assert.rejects(one.accept('unknown', request), (error) => hasCode(error, 'OUTCOME_UNKNOWN'))
    await assert.rejects(other.accept('unknown', request), (error) => hasCode(error, 'OUTCOME_UNKNOWN'))
    const { response, isReplay } = await one.accept('unknown', request)
    assert.deepEqual([response.body, isReplay], [{ messageId: 'id-1' }, false])
    assert.deepEqual(sent.ids, ['id-1', 'id-1', 'id-1'])
    assert.equal((await other.accept('unknown', request)).isReplay, true)
    assert.equal(sent.ids.length, 3)
  })

  it('whose outcome nobody knew keeps its id when it is refused meanwhile, also over a restart', async () => {
    const sent = carrier([unknown, refused, undefined])
    const newId = ids()
    const process = () => keyedAccepting({ database, intake: withKeys(sent, database, failed), backlog: room, newId })
    await assert.rejects(process().accept('doubtful', request), (error) => hasCode(error, 'OUTCOME_UNKNOWN'))
    await assert.rejects(process().accept('doubtful', request), (error) => hasCode(error, 'OUTCOME_UNKNOWN'))
    await process().accept('doubtful', request)
    assert.deepEqual(sent.ids, ['id-1', 'id-1', 'id-1'])
  })

  it('that was refused leaves its key free', async () => {
    const sent = carrier([refused, undefined])
    const keyed = keyedAccepting({ database, intake: withKeys(sent, database, failed), backlog: room, newId: ids() })
    await assert.rejects(keyed.accept('refused', request), (error) => hasCode(error, 'QUEUE_FULL'))
    const other = { ...request, body: { data: 'another' } }
    assert.equal((await keyed.accept('refused', other)).isReplay, false)
  })

  it('whose outcome is known stays unanswered no longer than that', async () => {
    const sent = carrier([])
    const keyed = keyedAccepting({ database, intake: withKeys(sent, database, failed), backlog: room, newId: ids() })
    const first = await keyed.accept('known', request)
    const again = await keyed.accept('known', request)
    assert.deepEqual([again.response, again.isReplay], [first.response, true])
  })
})

describe('accepting through the log', () => {
  const backlogs = { added: 0 }

  function countAdded(count: number): void {
    backlogs.added += count
  }

  /** A log intake whose transactions end as given. */
  function intakeThatEnds(error: Error) {
    const database = { inTransaction: () => Promise.reject(error) } as unknown as Database
    const backlog = { added: countAdded } as unknown as Backlog
    const gatherSizes = { observe() {} }
    return logIntake({
      database,
      log: {} as Log,
      topic: 't',
      faults: noFaults,
      gatherSizes,
      backlog,
      durability: 'disk',
    })
  }

  const item = { messages: request.messages('id-1') }

  it('does not know the outcome when the answer to the commit was lost, and names the message', async () => {
    const intake = intakeThatEnds(new PlatformError('COMMIT_UNKNOWN', 'lost'))
    await assert.rejects(intake.accept(item), (error) => {
      assert.ok(hasCode(error, 'OUTCOME_UNKNOWN'))
      assert.deepEqual(error.details, { messageId: 'id-1', providers: ['postgres'] })
      return true
    })
  })

  it('bounds the bytes that one transaction holds', async () => {
    const gathered: number[] = []
    const intake = logIntake({
      database: { inTransaction: (work: (tx: object) => unknown) => work({}) } as unknown as Database,
      log: { appendingTo: () => ({ append() {} }) } as unknown as Log,
      topic: 't',
      faults: noFaults,
      gatherSizes: { observe: (requests) => gathered.push(requests) },
      backlog: { added() {} } as unknown as Backlog,
      durability: 'disk',
    })
    const body = Buffer.alloc(1024 * 1024)
    const large = { messages: item.messages.map((message) => ({ ...message, body })) }
    await Promise.all(Array.from({ length: 20 }, () => intake.accept(large)))
    assert.deepEqual(gathered, [8, 8, 4])
  })

  it('has accepted nothing when the database is away', async () => {
    const intake = intakeThatEnds(new PlatformError('DATABASE_UNAVAILABLE', 'away'))
    await assert.rejects(intake.accept(item), (error) => hasCode(error, 'QUEUE_UNAVAILABLE'))
    assert.equal(backlogs.added, 0)
  })
})

describe('accepting into memory', () => {
  it('takes all messages of a request or none, also when they do not fit by their bytes', async () => {
    await using transport = memoryTransport({ maxBytes: 1_000 })
    const backlog = { estimate: 0, capacity: 10, added() {}, removed() {} } as unknown as Backlog
    const intake = memoryIntake({ transport, topic: 't', backlog })
    const messages = ['a', 'b', 'c'].map((key) => ({ id: key, key, type: 't', headers: {}, body: Buffer.alloc(400) }))
    assert.equal(new Set(messages.map(({ key }) => partitionOf(key))).size, 3)
    await assert.rejects(intake.accept({ messages }), (error) => hasCode(error, 'QUEUE_FULL'))
    assert.equal(transport.size().messages, 0)
    await intake.accept({ messages: messages.slice(1) })
    assert.equal(transport.size().messages, 2)
  })
})
