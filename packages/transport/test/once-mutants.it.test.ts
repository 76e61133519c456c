// Every proof opens a database (@headrace/database/testing).
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { exemption, memoryHarness, mutantNamed, oncePromises, proveOnce, type Source } from '@headrace/transport/suite'

/** Broken carriers, and the promises of carrier and inbox together that must notice. */
const killed: readonly (readonly [mutant: string, source: Source, ...promises: string[]])[] = [
  [
    'drops one message in a hundred',
    'foreign',
    'each message is handled once, in the order of its key',
    'many publishers, many keys and many handlers at once: each message once, in the order of its key',
    'the members of a group share the partitions, and each message is handled by one of them',
    'members come and go under load: each message once, in the order of its key',
  ],
  ['holds a message twice', 'foreign', 'the order of a key survives a handler that throws'],
  ['takes bodies for text', 'foreign', 'what was published reaches the handler unchanged, up to the size limit'],
  [
    'starts a late reader at the end',
    'foreign',
    'a late group starts at the beginning of what is held',
    'every group handles everything once',
  ],
  ['lets a reader that stands still hold up the others', 'foreign', 'a slow partition holds up no other'],
  [
    'skips the first message after a resume',
    'foreign',
    'the partitions of a killed member are taken over: each message once, in the order of its key',
    'a member that was cut off and does not know it handles nothing twice',
    'a carrier that breaks off is read again: each message once, in the order of its key',
    'a consumer that stops and goes on, in rounds, misses nothing and repeats nothing',
    'a stop under load finishes the batches at hand, and nothing runs behind it',
  ],
  ['loses origins', 'relayed', 'copies that a relay published again are handled once'],
  [
    'forgets that a topic was made anew',
    'foreign',
    'a topic that was made anew is handled from its start: what was handled before, not again',
    'a topic that was made anew while nobody read it is handled from its start',
  ],
]

const once = 'each message is handled once, in the order of its key'

/** What the inbox makes good: carriers may do this to messages that know where they come from. */
const healed = ['holds a message twice', 'reorders two messages', 'repeats the last message after a resume']

const sizes = { few: 100, many: 500, publishers: 10, confirmed: 1_000, rounds: 5 }

function prove(mutant: string, source: Source, name: string, deadlineMs: number): Promise<void> {
  const promise = oncePromises.find((each) => each.name === name)
  assert.ok(promise, `no promise is named '${name}'`)
  return proveOnce({ ...memoryHarness({}, mutantNamed(mutant).breaking()), sizes, deadlineMs }, source, promise)
}

describe('the suite of carrier and inbox', () => {
  for (const [mutant, source, ...promises] of killed) {
    for (const name of promises) {
      it(`notices a carrier that ${mutant}: ${name}`, () => assert.rejects(prove(mutant, source, name, 1_000)))
    }
  }

  for (const mutant of healed) {
    it(`shows that the inbox makes good a carrier that ${mutant}, for relayed messages`, () =>
      prove(mutant, 'relayed', once, 20_000))
  }

  it('has a mutant for every promise', () => {
    const killers = new Set(killed.flatMap(([, , ...promises]) => promises))
    const applying = oncePromises.filter(({ needs }) => exemption(memoryHarness(), needs) === undefined)
    assert.deepEqual(
      applying.map(({ name }) => name).filter((name) => !killers.has(name)),
      [],
    )
  })
})
