import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { it } from 'node:test'
import { sleep } from '@headrace/runtime'
import { Follower, relayed } from '@headrace/transport/suite'
import { natsTransport } from '@headrace/transport-nats'
import { startNats } from '../../../tools/services/testing.ts'
import { administer } from './support/administration.ts'

it('three nodes with three replicas: the loss of the one that leads loses nothing, and keeps the order', async () => {
  await using servers = await startNats({ nodes: 3 })
  const addresses = servers.address.split(',')
  const options = { servers: addresses, replicas: 3, timeoutMs: 3_000, pingMs: 500 }
  await using publisher = natsTransport(options)
  await using reader = natsTransport(options)
  assert.equal(publisher.durability, 'replicated')
  const topic = `replicated-${randomUUID()}`
  const messages = Array.from({ length: 1_000 }, (_, at) => {
    const id = `k#${at + 1}`
    return { id, key: 'k', type: 'test', headers: {}, body: Buffer.from(id) }
  })
  // A cluster that has just started has no leader yet.
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const ready = await publisher.held(topic, 3).then(
      () => true,
      () => false,
    )
    if (ready) break
    await sleep(200)
  }
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
    await using administration = await administer(servers.address)
    const { cluster } = await administration.manager.streams.info(topic)
    const leader = servers.nodes.find(({ name }) => name === cluster?.leader)
    assert.ok(leader, `the leader is ${cluster?.leader}`)
    await leader.kill()
  }
})
