import { messageOf, PlatformError, sleep, untilAborted } from '@headrace/runtime'
import type { Batch, CarrierPosition, ReadFrom } from '@headrace/transport'
import { AckPolicy, DeliverPolicy } from '@nats-io/jetstream'
import { nanos } from '@nats-io/transport-node'
import { carried } from './message.ts'
import type { NatsSettings } from './options.ts'
import { Puller, type PullOptions } from './puller.ts'
import type { Session, Sessions } from './session.ts'
import { declareStream, incarnationMs, incarnationOf, presentIncarnation, streamOf, subjectsOf } from './streams.ts'

export interface ReadNeeds {
  readonly sessions: Sessions
  readonly settings: NatsSettings
  readonly topic: string
  readonly partition: number
}

/** Pause in ms before a stream is looked for that was there and is no more. */
const goneMs = 250
/** A consumer that nobody asks for so many ms is dropped by the server. */
const inactiveMs = 60_000

/** Reads a partition from a position on, in the stream's order; in one that was made anew, from its beginning. */
export async function* readStream(needs: ReadNeeds, from: ReadFrom, options: PullOptions): AsyncGenerator<Batch> {
  let next = from.kind === 'position' ? from.position : undefined
  while (!options.signal.aborted) {
    const opened = await untilAborted(openConsumer(needs, next), options.signal)
    if (opened === undefined) return
    const { session, incarnation, name } = opened
    const puller = new Puller(session, { stream: streamOf(needs.topic), name }, options)
    try {
      for await (const batch of pulled(needs, opened, puller, options.signal)) {
        const last = batch.messages.at(-1)
        if (last !== undefined) next = { incarnation, number: last.position + 1 }
        yield batch
      }
    } catch (error) {
      if (!options.signal.aborted) throw error
    } finally {
      puller.close()
    }
    await sleep(goneMs, options.signal)
  }
}

interface OpenConsumer {
  readonly session: Session
  readonly incarnation: string
  readonly name: string
}

/** Batches of one consumer, until it ends or the stream is another. */
async function* pulled(
  needs: ReadNeeds,
  opened: OpenConsumer,
  puller: Puller,
  signal: AbortSignal,
): AsyncGenerator<Batch> {
  const { topic } = needs
  const { session, incarnation } = opened
  while (true) {
    const delivered = await puller.next(incarnationMs)
    if (delivered === undefined || puller.aborted) return
    if (delivered.length === 0) {
      if ((await untilAborted(presentIncarnation(session, topic), signal)) !== incarnation) return
      continue
    }
    const { atEnd } = puller
    // Before the reader is given this one: what comes meanwhile is the batch that is read ahead.
    puller.ask()
    const messages = delivered.map(({ message, place }) => carried(message, place, { topic, incarnation }))
    yield { incarnation, messages, atEnd }
  }
}

/** How often a stream may change while a consumer is made on it. */
const openAttempts = 3

/** A consumer that is certain to stand on this incarnation: asked for before and after. */
async function openConsumer(needs: ReadNeeds, next: CarrierPosition | undefined): Promise<OpenConsumer> {
  const { topic, settings } = needs
  const session = await needs.sessions.current()
  try {
    for (let attempt = 1; attempt <= openAttempts; attempt += 1) {
      await declareStream(session, topic, settings)
      const incarnation = await incarnationOf(session, topic, incarnationMs)
      const known = next?.incarnation === incarnation ? next?.number : undefined
      const name = incarnation === undefined ? undefined : await orderedConsumer(session, needs, known)
      if (incarnation !== undefined && name !== undefined && incarnation === (await incarnationOf(session, topic, 0))) {
        return { session, incarnation, name }
      }
      // What was known of it is older than the stream, or it is gone.
      session.incarnations.delete(topic)
      session.declared.delete(topic)
    }
  } catch (error) {
    session.declared.delete(topic)
    if (error instanceof PlatformError) throw error
    throw new PlatformError('QUEUE_UNAVAILABLE', `reading ${topic}: ${messageOf(error)}`, { cause: error })
  }
  throw new PlatformError('QUEUE_UNAVAILABLE', `the stream of ${topic} was made anew again and again`)
}

/** Makes a consumer of our own, without acknowledgements; from the stream's first message unless given. */
async function orderedConsumer(session: Session, needs: ReadNeeds, first: number | undefined): Promise<string> {
  const start =
    first === undefined
      ? { deliver_policy: DeliverPolicy.All }
      : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: Math.max(first, 1) }
  const { name } = await session.manager.consumers.add(streamOf(needs.topic), {
    ...start,
    ack_policy: AckPolicy.None,
    filter_subjects: subjectsOf(needs.topic, needs.partition),
    inactive_threshold: nanos(inactiveMs),
    num_replicas: 1,
    mem_storage: true,
  })
  return name
}
