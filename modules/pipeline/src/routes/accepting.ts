import type { Database } from '@headrace/database'
import {
  decideByKey,
  fingerprint,
  idempotencyKey,
  isTwinConflict,
  keyId,
  keyInProgress,
  lookupKey,
  type StoredKey,
  type StoredResponse,
  twins,
} from '@headrace/http-kit'
import { hasCode } from '@headrace/runtime'
import type { Message } from '@headrace/transport'
import type { Backlog } from '../backlog.ts'
import type { Intake } from '../intake/intake.ts'
import { asUnavailable } from '../intake/unavailable.ts'
import { fullError } from './room.ts'

/** What a request asks to be accepted. */
export interface Acceptable {
  /** Whose token came with it; anonymous where none did. */
  readonly caller?: string | undefined
  /** The path by which its Idempotency-Keys are told apart from others. */
  readonly route: string
  /** The body as it counts for the key: JSON as a value, bytes as bytes. */
  readonly body: unknown
  /** Its messages, when the first id that is made for them is this. */
  messages(effectId: string): readonly Message[]
  /** Its answer. */
  response(effectId: string): StoredResponse
}

export interface Accepted {
  readonly response: StoredResponse
  /** True when the answer was given before. */
  readonly isReplay: boolean
}

/** Accepts requests that carry an Idempotency-Key. */
export interface KeyedAccepting {
  accept(header: string | readonly string[], request: Acceptable): Promise<Accepted>
}

export interface KeyedAcceptingNeeds {
  readonly database: Database
  readonly intake: Intake
  /** New requests need room in it. */
  readonly backlog: Backlog
  readonly newId: () => string
}

/** Ids of requests whose outcome nobody knew, so that a repetition is given the same; the oldest is forgotten first. */
const rememberedIds = 10_000

/** One effect for each key, and the same answer again. */
export function keyedAccepting(needs: KeyedAcceptingNeeds): KeyedAccepting {
  const { database, intake, backlog, newId } = needs
  const running = twins()
  const doubtful = new Map<string, string>()

  async function acceptFresh(request: Acceptable, key: Key, effectId: string, isKnown: boolean): Promise<Accepted> {
    const response = request.response(effectId)
    const name = key.id.toString('latin1')
    try {
      const record = { ...key, effectId, response }
      await intake.accept({ messages: request.messages(effectId), key: { record, isKnown } })
    } catch (error) {
      if (hasCode(error, 'OUTCOME_UNKNOWN')) remember(doubtful, name, effectId)
      throw error
    }
    doubtful.delete(name)
    return { response, isReplay: false }
  }

  async function lookup({ id }: Key): Promise<StoredKey | undefined> {
    try {
      return await lookupKey(database, id)
    } catch (error) {
      throw asUnavailable(error)
    }
  }

  return {
    async accept(header, request) {
      const key = keyOf(header, request)
      using _turn = running.enter(key.id)
      const decision = decideByKey(await lookup(key), key.fingerprint)
      if (decision.kind === 'replay') return { response: decision.response, isReplay: true }
      const full = decision.kind === 'fresh' ? fullError(backlog) : undefined
      if (full !== undefined) throw full
      const known = decision.kind === 'unanswered' ? decision.effectId : undefined
      const effectId = known ?? doubtful.get(key.id.toString('latin1')) ?? newId()
      try {
        return await acceptFresh(request, key, effectId, known !== undefined)
      } catch (error) {
        if (!isTwinConflict(error)) throw error
      }
      // A twin in another process was faster.
      const twin = decideByKey(await lookup(key), key.fingerprint)
      if (twin.kind === 'replay') return { response: twin.response, isReplay: true }
      throw keyInProgress()
    },
  }
}

interface Key {
  readonly id: Buffer
  readonly fingerprint: Buffer
}

function keyOf(header: string | readonly string[], { caller = 'anonymous', route, body }: Acceptable): Key {
  const key = idempotencyKey(header) ?? ''
  return { id: keyId({ caller, method: 'POST', route }, key), fingerprint: fingerprint('POST', route, body) }
}

function remember(ids: Map<string, string>, name: string, id: string): void {
  ids.delete(name)
  ids.set(name, id)
  const [oldest] = ids.keys()
  if (ids.size > rememberedIds && oldest !== undefined) ids.delete(oldest)
}
