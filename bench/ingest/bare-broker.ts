// The ceiling of a broker: an HTTP server that only publishes, and answers once the broker has confirmed. Requests that
// arrive while a partition's batch is under way are its next batch. argv: kafka | nats, address. Prints its port.

import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { logPartitions, partitionOf } from '@headrace/transport'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { Admin, ProduceAcks, Producer } from '@platformatic/kafka'

/** Publishes a batch to one partition; resolves when all of it is confirmed. */
type Publish = (partition: number, bodies: readonly Buffer[]) => Promise<unknown>

const [, , broker, address = ''] = process.argv
const publish = await (broker === 'kafka' ? kafka() : nats())
const partitions = Array.from({ length: logPartitions }, (_, partition) => gathered(partition))
const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const body = Buffer.concat(chunks)
    // As the product is sent it.
    const { source } = JSON.parse(body.toString()) as { source: string }
    partitions[partitionOf(source)]?.(body).then(
      () => response.writeHead(200).end(JSON.stringify({ messageId: randomUUID(), status: 'accepted' })),
      () => response.writeHead(503).end(),
    )
  })
}).listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`))
process.once('SIGTERM', () => process.exit())

function gathered(partition: number): (body: Buffer) => Promise<unknown> {
  let waiting: Buffer[] = []
  let next: Promise<unknown> | undefined
  let last: Promise<unknown> = Promise.resolve()
  const send = () => {
    const batch = waiting
    waiting = []
    next = undefined
    return publish(partition, batch)
  }
  return (body) => {
    waiting.push(body)
    if (next === undefined) last = next = last.then(send, send)
    return next
  }
}

async function kafka(): Promise<Publish> {
  const common = { clientId: 'bare', bootstrapBrokers: [address] }
  const admin = new Admin(common)
  await admin.createTopics({ topics: [{ topic: 'bare', partitions: logPartitions, replicas: 1 }] })
  await admin.close()
  const producer = new Producer<Buffer, Buffer, Buffer, Buffer>(common)
  return (partition, bodies) =>
    producer.send({ acks: ProduceAcks.ALL, messages: bodies.map((value) => ({ topic: 'bare', partition, value })) })
}

async function nats(): Promise<Publish> {
  const connection = await connect({ servers: address })
  await (await jetstreamManager(connection)).streams.add({ name: 'bare', subjects: ['bare.*'] })
  const stream = jetstream(connection)
  return (partition, bodies) => Promise.all(bodies.map((body) => stream.publish(`bare.${partition}`, body)))
}
