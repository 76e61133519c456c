import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { it } from 'node:test'
import { Follower, relayed } from '@headrace/transport/suite'
import { kafkaTransport } from '@headrace/transport-kafka'
import { startKafka } from '../../../tools/services/testing.ts'
import { administer } from './support/kafka-harness.ts'

it('three nodes with three replicas: the loss of the one that leads loses nothing, and keeps the order', async () => {
  await using cluster = await startKafka({ nodes: 3 })
  const options = { brokers: cluster.address.split(','), replicationFactor: 3, requestTimeoutMs: 5_000 }
  await using publisher = kafkaTransport(options)
  await using reader = kafkaTransport(options)
  assert.equal(publisher.durability, 'replicated')
  const topic = `replicated-${randomUUID()}`
  const messages = Array.from({ length: 1_000 }, (_, at) => {
    const id = `k#${at + 1}`
    return { id, key: 'k', type: 'test', headers: {}, body: Buffer.from(id) }
  })
  await using follower = new Follower(reader, topic, 3)
  for (let at = 0; at < messages.length; at += 50) {
    await relayed(publisher, topic, 3, messages.slice(at, at + 50))
    if (at === 300) await killLeader()
  }
  await follower.until('all thousand', () => follower.ids.length === 1_000)
  assert.deepEqual(
    follower.ids,
    messages.map(({ id }) => id),
  )

  async function killLeader(): Promise<void> {
    await using administration = administer(cluster.address)
    const { topics } = await administration.admin.metadata({ topics: [topic] })
    const leader = topics.get(topic)?.partitions[3]?.leader ?? 0
    await cluster.nodes[leader - 1]?.kill()
  }
})
