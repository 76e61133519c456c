import { interleaved, someKeys } from './groups.ts'
import type { OncePromise } from './promise.ts'

/** Promises about copies and topics made anew. */
export const originPromises: readonly OncePromise[] = [
  {
    name: 'copies that a relay published again are handled once',
    sources: ['relayed'],
    async prove(proof) {
      const messages = interleaved(someKeys(20), 20)
      await (await proof.member()).consume('g')
      await proof.put(messages.slice(0, 300))
      await (await proof.newPublisher()).put(messages.slice(0, 350))
      await (await proof.newPublisher()).put(messages)
      await proof.handledOnce('g', messages)
    },
  },
  {
    name: 'a topic that was made anew is handled from its start: what was handled before, not again',
    needs: ['recreate'],
    async prove(proof) {
      const keys = someKeys(20)
      const messages = interleaved(keys, 20)
      const member = await proof.member()
      await member.consume('g')
      await proof.put(messages.slice(0, 200))
      await proof.handledOnce('g', messages.slice(0, 200))
      await proof.recreate()
      // A relay goes back to the start; a foreign producer goes on with what is new.
      const again = await proof.newPublisher()
      await again.put(proof.source === 'relayed' ? messages : messages.slice(200))
      await proof.handledOnce('g', messages)
    },
  },
  {
    name: 'a topic that was made anew while nobody read it is handled from its start',
    needs: ['recreate'],
    async prove(proof) {
      const messages = interleaved(someKeys(20), 20)
      const member = await proof.member()
      const consumer = await member.consume('g')
      await proof.put(messages.slice(0, 200))
      await proof.handledOnce('g', messages.slice(0, 200))
      await consumer.stop()
      await proof.recreate()
      const again = await proof.newPublisher()
      await again.put(proof.source === 'relayed' ? messages : messages.slice(200))
      await member.consume('g')
      await proof.handledOnce('g', messages)
    },
  },
]
