import { messageOf, PlatformError } from '@headrace/runtime'
import type { Held } from '@headrace/transport'
import {
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamManager,
  type MsgRequest,
  RetentionPolicy,
  StorageType,
  type StreamInfo,
} from '@nats-io/jetstream'
import { nanos } from '@nats-io/transport-node'
import type { NatsSettings } from './options.ts'
import type { Session } from './session.ts'

/** Error codes of the JetStream API. */
const streamNotFound = 10059
const streamNameInUse = 10058

/** How often in ms it is asked whether a stream was made anew: the server tells nobody. */
export const incarnationMs = 1_000

/** A topic's stream: its name, with dots as `_`. */
export function streamOf(topic: string): string {
  return topic.replaceAll('.', '_')
}

/** The subject that we publish a partition to. */
export function subjectOf(topic: string, partition: number): string {
  return `${topic}.p.${partition}`
}

/** The subjects that a partition is read from: foreign producers know only the topic, which belongs to partition 0. */
export function subjectsOf(topic: string, partition: number): string[] {
  const own = subjectOf(topic, partition)
  return partition === 0 ? [topic, own] : [own]
}

/** Throws `RangeError` where a topic cannot be a subject and name a stream. */
export function requireTopic(topic: string): void {
  if (!/^[^\s.*>/\\]+(\.[^\s.*>/\\]+)*$/.test(topic)) {
    throw new RangeError(`topic: '${topic}' cannot be a subject of NATS`)
  }
}

/** Makes sure once for each connection that a topic's stream is there and takes our subjects. */
export function declareStream(session: Session, topic: string, settings: NatsSettings): Promise<unknown> {
  const before = session.declared.get(topic)
  if (before !== undefined) return before
  const declaring = declared(session.manager, topic, settings)
  session.declared.set(topic, declaring)
  declaring.catch(() => session.declared.delete(topic))
  return declaring
}

async function declared(manager: JetStreamManager, topic: string, settings: NatsSettings): Promise<void> {
  const { config } = (await streamInfo(manager, topic)) ?? (await addStream(manager, topic, settings))
  const missing = [topic, `${topic}.p.*`].filter((subject) => !config.subjects.some((each) => covers(each, subject)))
  if (missing.length > 0) await manager.streams.update(config.name, { subjects: [...config.subjects, ...missing] })
}

/** What the server says of a topic's stream; undefined when there is none. */
export async function streamInfo(manager: JetStreamManager, topic: string): Promise<StreamInfo | undefined> {
  try {
    return await manager.streams.info(streamOf(topic))
  } catch (error) {
    if (hasApiCode(error, streamNotFound)) return undefined
    throw error
  }
}

/** When a topic's stream was made, as known for at most so many ms; undefined when there is none. */
export function incarnationOf(session: Session, topic: string, maxAgeMs: number): Promise<string | undefined> {
  const known = session.incarnations.get(topic)
  if (known !== undefined && performance.now() - known.askedAt < maxAgeMs) return known.answer
  const answer = streamInfo(session.manager, topic).then((info) => info?.created)
  session.incarnations.set(topic, { askedAt: performance.now(), answer })
  answer.catch(() => session.incarnations.delete(topic))
  return answer
}

/** The same where there must be one. Throws `QUEUE_UNAVAILABLE`. */
export async function presentIncarnation(session: Session, topic: string): Promise<string> {
  const incarnation = await asked(topic, incarnationOf(session, topic, incarnationMs))
  if (incarnation === undefined) throw gone(session, topic)
  return incarnation
}

/** What a partition of a stream holds. Throws `QUEUE_UNAVAILABLE`. */
export async function heldIn(session: Session, topic: string, partition: number): Promise<Held> {
  const { manager } = session
  const stream = streamOf(topic)
  const info = await asked(topic, streamInfo(manager, topic))
  if (info === undefined) throw gone(session, topic)
  const ask = (query: MsgRequest) => asked(topic, manager.streams.getMessage(stream, query))
  const subjects = subjectsOf(topic, partition)
  // The server finds the next of a subject; only the client's type does not know.
  const next = (subject: string) => ({ seq: 1, next_by_subj: subject })
  const firsts = await Promise.all(subjects.map((subject) => ask(next(subject))))
  const lasts = await Promise.all(subjects.map((subject) => ask({ last_by_subj: subject })))
  const end = Math.max(...lasts.map((last) => (last?.seq ?? 0) + 1))
  return { incarnation: info.created, first: Math.min(end, ...firsts.map((first) => first?.seq ?? end)), end }
}

/** The next use makes it again. */
function gone(session: Session, topic: string): PlatformError {
  session.declared.delete(topic)
  return new PlatformError('QUEUE_UNAVAILABLE', `the stream of ${topic} is gone`)
}

async function asked<T>(topic: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw new PlatformError('QUEUE_UNAVAILABLE', `asking for the stream of ${topic}: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

async function addStream(manager: JetStreamManager, topic: string, settings: NatsSettings): Promise<StreamInfo> {
  try {
    return await manager.streams.add({
      name: streamOf(topic),
      subjects: [topic, `${topic}.p.*`],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.New,
      max_age: nanos(settings.retentionMs),
      num_replicas: settings.replicas,
      // The window of message ids, which we do not use, must not be longer than the retention.
      duplicate_window: nanos(Math.min(settings.retentionMs, 2 * 60_000)),
    })
  } catch (error) {
    // Somebody else was faster, with options of their own.
    const there = hasApiCode(error, streamNameInUse) && (await streamInfo(manager, topic))
    if (there) return there
    throw error
  }
}

function hasApiCode(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code
}

/** Tells whether everything that the second pattern means is taken by the first. */
function covers(pattern: string, subject: string): boolean {
  const tokens = subject.split('.')
  const wanted = pattern.split('.')
  const open = wanted.at(-1) === '>'
  if (open ? tokens.length < wanted.length : tokens.length !== wanted.length) return false
  return wanted.every((token, at) => token === '>' || token === '*' || token === tokens[at])
}
