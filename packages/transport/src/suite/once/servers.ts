import { setTimeout as pause } from 'node:timers/promises'
import { numbered } from '../messages.ts'
import { interleaved, someKeys } from './groups.ts'
import type { OnceProof } from './proof.ts'

/** What can happen to a carrier's server; its address stays the same through all of it. */
export interface ServerControls {
  restart(): Promise<void>
  /** Ends it as a crash would; its data stay. */
  kill(): Promise<void>
  start(): Promise<void>
  /** Holds it still: connections stay open and nobody answers. */
  pause(): void
  resume(): void
}

/** A sentence about servers that fail under load, and its proof. Messages are appended to a log. */
export interface ServerPromise {
  readonly name: string
  prove(proof: OnceProof, servers: readonly ServerControls[]): Promise<void>
}

/** Longer than every deadline of a publish, in ms. */
const stillMs = 12_000

/** Appends all messages of all keys, each key by a publisher of its own, and runs each event once its share is there. */
async function underLoad(proof: OnceProof, events: readonly (() => Promise<void>)[]): Promise<void> {
  const { confirmed, publishers } = proof.sizes
  const keys = someKeys(publishers * 2)
  const each = confirmed / keys.length
  const waiting = [...events]
  let happening = Promise.resolve()
  let put = 0
  const publish = async (key: string) => {
    for (const message of numbered(key, each)) {
      await proof.put([message])
      put += 1
      const share = (events.length - waiting.length + 1) / (events.length + 1)
      const event = put > share * confirmed ? waiting.shift() : undefined
      if (event !== undefined) happening = happening.then(event)
    }
  }
  await (await proof.member()).consume('g')
  await Promise.all(keys.map(publish))
  await happening
  await proof.handledOnce('g', interleaved(keys, each))
}

/** Each server in turn, one at a time. */
function inTurn(servers: readonly ServerControls[], act: (server: ServerControls) => Promise<void>) {
  return servers.map((server) => () => act(server))
}

/** Promises about a carrier's servers. */
export const serverPromises: readonly ServerPromise[] = [
  {
    name: 'a server that is restarted and killed under load loses nothing: each message once, in the order of its key',
    prove: (proof, servers) =>
      underLoad(proof, [
        ...inTurn(servers, (server) => server.restart()),
        ...inTurn(servers, (server) => server.kill().then(() => server.start())),
      ]),
  },
  {
    name: 'a server that stands still with its connections open and goes on: each message once, in the order of its key',
    prove: (proof, servers) =>
      underLoad(
        proof,
        inTurn(servers, async (server) => {
          server.pause()
          await pause(stillMs).finally(() => server.resume())
        }),
      ),
  },
  {
    name: 'all servers away at once, when a member joins: each message once, in the order of its key',
    async prove(proof, servers) {
      const messages = interleaved(someKeys(20), 20)
      await Promise.all(servers.map((server) => server.kill()))
      try {
        await (await proof.member()).consume('g')
        await proof.put(messages)
      } finally {
        await Promise.all(servers.map((server) => server.start()))
      }
      await proof.handledOnce('g', messages)
    },
  },
  {
    name: 'a topic that is deleted and made again under load: each message once, in the order of its key',
    prove: (proof) => underLoad(proof, [() => proof.recreate(), () => proof.recreate()]),
  },
]
