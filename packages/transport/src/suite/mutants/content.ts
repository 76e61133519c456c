import type { CarriedMessage } from '../../message.ts'
import { PublishError } from '../../transport.ts'
import { changed, changedMessages, changedPublish, type Mutant } from './mutant.ts'

const content = 'id, key, type, headers and binary bodies arrive unchanged, with the time at which they were taken'
const fullByNumber =
  'a full carrier refuses by number, holds exactly what it confirmed, and takes more once that was passed'
const fullByBytes =
  'a full carrier refuses by bytes, holds exactly what it confirmed, and takes more once that was passed'
const sizeLimit = 'a message at the size limit arrives; one far above is refused with everything published beside it'
const afterStop = 'a user that has stopped refuses to publish'
const underLoad = 'a user that stops under load holds all that it confirmed, and refuses the rest with an outcome'

/** A mutant that changes every message on its way to the reader. */
function garbling(
  name: string,
  killedBy: string,
  change: (message: CarriedMessage) => Partial<CarriedMessage>,
): Mutant {
  const breaking: Mutant['breaking'] = () => (user) =>
    changedMessages(user, (message) => ({ ...message, ...change(message) }))
  return { name, killedBy: [killedBy], breaking }
}

/** Carriers that change what they carry, take too much, or stop badly. */
export const contentMutants: readonly Mutant[] = [
  garbling('changes the last byte of a body', content, ({ body }) => ({
    body: Buffer.concat([body.subarray(0, -1), Buffer.from('!')]),
  })),
  garbling('takes bodies for text', content, ({ body }) => ({ body: Buffer.from(Buffer.from(body).toString()) })),
  garbling('loses an empty header', content, ({ headers }) => ({
    headers: Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== '')),
  })),
  garbling('takes headers for Latin-1', content, ({ headers }) => ({
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, Buffer.from(value, 'latin1').toString('latin1')]),
    ),
  })),
  garbling('tells the time in seconds', content, ({ at }) => ({ at: Math.floor(at / 1_000) })),
  garbling('makes up an id', content, ({ position }) => ({ id: `made-up-${position}` })),
  garbling('trims keys', 'keys of all kinds arrive unchanged', ({ key }) => ({ key: key.trim() })),
  garbling(
    'writes every message’s origin as its own',
    'a relayed message keeps its origin, and one of a foreign producer has none',
    (message) => ({
      origin: { log: 'carrier', partition: 3, offset: message.position },
    }),
  ),
  {
    name: 'loses origins',
    killedBy: ['a relayed message keeps its origin, and one of a foreign producer has none'],
    breaking: () => (user) => changedMessages(user, ({ origin: _, ...message }) => message),
  },
  {
    name: 'hands out the publisher’s own bytes',
    killedBy: ['messages are bytes: whoever changes one afterwards changes it for nobody else'],
    breaking() {
      const bodies = new Map<string, Uint8Array>()
      return (user) => {
        const keeping = changedPublish(user, (publish, partition, messages) => {
          for (const { id, body } of messages) bodies.set(id, body)
          return publish(partition, messages)
        })
        return changedMessages(keeping, (message) => ({ ...message, body: bodies.get(message.id) ?? message.body }))
      }
    },
  },
  {
    name: 'confirms what was refused',
    killedBy: [fullByNumber, fullByBytes, sizeLimit],
    breaking: () => (user) =>
      changedPublish(user, (publish, partition, messages) => publish(partition, messages).catch(() => undefined)),
  },
  {
    name: 'takes what fits of a publish that it refuses',
    killedBy: [sizeLimit, 'a publish that does not fit as a whole is refused as a whole'],
    breaking: () => (user) =>
      changedPublish(user, async (publish, partition, messages) => {
        for (const message of messages) await publish(partition, [message])
      }),
  },
  {
    name: 'refuses with an unknown outcome',
    killedBy: [fullByNumber, afterStop],
    breaking: () => (user) =>
      changedPublish(user, (publish, partition, messages) =>
        publish(partition, messages).catch(() => Promise.reject(new PublishError('unknown', 'who knows'))),
      ),
  },
  {
    name: 'never frees what was passed',
    killedBy: [fullByNumber, fullByBytes],
    breaking: () => (user) => changed(user, { passed: () => undefined }),
  },
  {
    name: 'fails with a bare error when it is stopped',
    killedBy: [underLoad, afterStop],
    breaking: () => (user) =>
      changedPublish(user, (publish, partition, messages) =>
        publish(partition, messages).catch(() => Promise.reject(new Error('socket closed'))),
      ),
  },
  {
    name: 'leaves reads open when it is stopped',
    killedBy: ['a stop ends all reads of its user without an error, and those of no other'],
    breaking: () => (user) => changed(user, { stop: async () => undefined }),
  },
  {
    name: 'stops everybody',
    killedBy: ['a stop ends all reads of its user without an error, and those of no other'],
    breaking() {
      const users: (() => Promise<void>)[] = []
      return (user) => {
        users.push(() => user.stop())
        return changed(user, { stop: async () => void (await Promise.all(users.map((stop) => stop()))) })
      }
    },
  },
  {
    name: 'fails when it is stopped twice',
    killedBy: ['stopping many times at once is stopping once'],
    breaking: () => (user) => {
      let stops = 0
      const stop = async () => {
        stops += 1
        // The suite itself closes every user once more.
        if (stops > 1 && stops < 10) throw new Error('closed already')
        await user.stop()
      }
      return changed(user, { stop })
    },
  },
  {
    name: 'says that it serves when it does not',
    killedBy: ['a probe tells whether the carrier serves'],
    breaking: () => (user) => changed(user, { probe: async () => undefined }),
  },
]
