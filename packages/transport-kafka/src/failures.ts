import { hasCode, messageOf, PlatformError } from '@headrace/runtime'
import { PublishError } from '@headrace/transport'
import { findErrorBy } from '@platformatic/kafka'
import type { FetchResponse } from './clients.ts'

/** Errors of the brokers by which we decide, as the protocol names them. */
export type BrokerError =
  | 'TOPIC_ALREADY_EXISTS'
  | 'INVALID_REPLICATION_FACTOR'
  | 'MESSAGE_TOO_LARGE'
  | 'RECORD_LIST_TOO_LARGE'
  | 'INVALID_RECORD'
  | 'POLICY_VIOLATION'
  | 'TOPIC_AUTHORIZATION_FAILED'
  | 'CLUSTER_AUTHORIZATION_FAILED'

/** Tells whether a broker gave this error, however deep it is nested. */
export function saysError(error: unknown, apiId: BrokerError): boolean {
  return error instanceof Error && findErrorBy(error, 'apiId', apiId) !== null
}

/** Tells whether the client says that a topic does not exist: its only error of use in a metadata request. */
export function saysMissing(error: unknown): boolean {
  return error instanceof Error && findErrorBy(error, 'code', 'PLT_KFK_USER') !== null
}

/** Tells whether a broker took the request and did not answer in time: a connection that is only half there. */
export function saysTimeout(error: unknown): boolean {
  return error instanceof Error && findErrorBy(error, 'code', 'PLT_KFK_TIMEOUT') !== null
}

/** The answer that an error of the protocol came with. */
export function responseOf(error: unknown): FetchResponse | undefined {
  const found = error instanceof Error ? findErrorBy(error, 'code', 'PLT_KFK_RESPONSE') : null
  return found?.response as FetchResponse | undefined // of the request that failed
}

/** The carrier does not serve now. */
export function unavailable(what: string, error: unknown): PlatformError {
  if (hasCode(error, 'QUEUE_UNAVAILABLE')) return error
  return new PlatformError('QUEUE_UNAVAILABLE', `${what}: ${explain(error)}`, { cause: error })
}

const refusals: readonly BrokerError[] = [
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'POLICY_VIOLATION',
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
]

/** Tells whether a broker has refused something of a request for what it is, and not because it cannot serve. */
export function saysRefusal(error: unknown): boolean {
  return leavesOf(error).some(isRefusal)
}

function isRefusal(reason: unknown): boolean {
  return refusals.some((apiId) => saysError(reason, apiId))
}

/** What the client tells with a failed send: the brokers' answers, and what other brokers have confirmed. */
interface SendFailure {
  readonly response: {
    readonly responses: readonly {
      readonly name: string
      readonly partitionResponses: readonly { readonly index: number; readonly errorCode: number }[]
    }[]
  }
  readonly produced: { readonly offsets?: readonly { readonly topic: string; readonly partition: number }[] }
}

/** The name of a topic's partition, as `takenPlaces` gives it. */
export function placeName(topic: string, partition: number): string {
  return `${topic}/${partition}`
}

/** The partitions whose messages were written by a request that failed for others. */
export function takenPlaces(error: unknown): readonly string[] {
  if (!(error instanceof Error)) return []
  const { response, produced } = error as Error & Partial<SendFailure>
  const answered = (response?.responses ?? []).flatMap(({ name, partitionResponses }) =>
    partitionResponses.filter(({ errorCode }) => errorCode === 0).map(({ index }) => placeName(name, index)),
  )
  const confirmed = (produced?.offsets ?? []).map(({ topic, partition }) => placeName(topic, partition))
  const inner: unknown[] = error instanceof AggregateError ? error.errors : [error.cause]
  return [...answered, ...confirmed, ...inner.flatMap(takenPlaces)]
}

/**
 * What became of a publish whose send failed. Only where every attempt was refused for what it is, and nothing went
 * before it, is it certain that nothing was taken.
 */
export function publishFailure(topic: string, error: unknown, wentBefore: boolean): PublishError {
  const refused = leavesOf(error).every(isRefusal)
  const text = `publishing to ${topic}: ${explain(error)}`
  if (!refused || wentBefore) return new PublishError('unknown', text, { cause: error })
  const tooLarge = saysError(error, 'MESSAGE_TOO_LARGE') || saysError(error, 'RECORD_LIST_TOO_LARGE')
  return new PublishError('refused', text, { cause: error, ...(tooLarge && { code: 'MESSAGE_TOO_LARGE' as const }) })
}

/** In one line what the library spreads over nested errors. */
export function explain(error: unknown): string {
  const said = leavesOf(error).map(messageOf)
  return [...new Set(said)].slice(0, 3).join('; ')
}

function leavesOf(error: unknown): unknown[] {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.flatMap(leavesOf)
  if (error instanceof Error && error.cause instanceof Error) return leavesOf(error.cause)
  return [error]
}
