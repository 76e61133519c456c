// The suite's second half opens databases (@headrace/database/testing).
import type { Transport } from '@headrace/transport'
import { memoryHarness, testCarrier, testOnce } from '@headrace/transport/suite'

/** A carrier with fewer partitions than a log, as a topic that others made: our partition p travels in p mod n. */
function narrowed(partitions: number) {
  const users = (user: Transport): Transport => ({
    name: user.name,
    durability: user.durability,
    isLog: user.isLog,
    partitions: async () => partitions,
    publish: (topic, partition, messages) => user.publish(topic, partition, messages),
    held: (topic, partition) => user.held(topic, partition),
    read: (topic, partition, from, options) => user.read(topic, partition, from, options),
    passed: (group, topic, partition, next) => user.passed?.(group, topic, partition, next),
    probe: (signal) => user.probe(signal),
    stop: () => user.stop(),
    [Symbol.asyncDispose]() {
      return this.stop()
    },
  })
  const harness = memoryHarness({}, users)
  const cannot = { ...harness.cannot, spread: 'it has fewer partitions' }
  return { ...harness, name: `memory with ${partitions} partitions`, cannot }
}

const five = narrowed(5)
testCarrier(five)
testOnce(five, ['relayed', 'foreign'])
