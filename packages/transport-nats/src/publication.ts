import { Bell, messageOf } from '@headrace/runtime'
import { PublishError, type RefusalCode } from '@headrace/transport'
import { createInbox, type Msg, type MsgHdrs } from '@nats-io/transport-node'
import type { Session } from './session.ts'

export interface EncodedMessage {
  readonly headers: MsgHdrs
  readonly body: Uint8Array
  /** As it travels. */
  readonly bytes: number
}

export interface PublicationNeeds {
  readonly session: Session
  readonly subject: string
  /** Longest wait in ms for the next acknowledgement, of this publication or of another through the same connection. */
  readonly timeoutMs: number
}

/** Most messages, and most bytes beside the first, that are sent and not acknowledged. */
const windowMessages = 256
const windowBytes = 4 * 1024 * 1024

/** A stream that is not there: nobody has taken anything. */
export class NobodyListens extends Error {}

/**
 * Publishes messages in order and resolves when the stream has acknowledged all. What follows a message that was
 * refused is not sent any more, but for what was on its way. Rejects with `NobodyListens`, or a `PublishError`.
 */
export async function publication(needs: PublicationNeeds, messages: readonly EncodedMessage[]): Promise<void> {
  const window = new AckWindow(needs, messages)
  try {
    await window.run()
  } finally {
    window.close()
  }
}

/** What the stream answered to a message that it did not take. */
interface Refusal {
  readonly code: RefusalCode
  readonly text: string
  readonly absent: boolean
}

class AckWindow {
  readonly #needs: PublicationNeeds
  readonly #messages: readonly EncodedMessage[]
  readonly #inbox = createInbox()
  readonly #subscription: { unsubscribe(): void }
  readonly #progress = new Bell()
  #sent = 0
  #answered = 0
  #bytes = 0
  #held = 0
  #refusal: Refusal | undefined

  constructor(needs: PublicationNeeds, messages: readonly EncodedMessage[]) {
    this.#needs = needs
    this.#messages = messages
    const callback = (error: Error | null, answer: Msg) => {
      if (error === null) this.#take(answer)
    }
    this.#subscription = needs.session.connection.subscribe(`${this.#inbox}.*`, { callback })
  }

  async run(): Promise<void> {
    const { timeoutMs, session } = this.#needs
    while (this.#answered < this.#sent || (this.#sent < this.#messages.length && this.#refusal === undefined)) {
      this.#send()
      if (await this.#progress.wait(timeoutMs, session.lost)) continue
      // A stream takes one message after the other: it may be at what other publications have sent.
      if (!session.lost.aborted && performance.now() - session.acknowledged.at < timeoutMs) continue
      const why = session.lost.aborted ? 'the connection was lost' : `no answer within ${timeoutMs} ms`
      throw new PublishError('unknown', `publishing to ${this.#needs.subject}: ${why}`)
    }
    if (this.#refusal !== undefined) throw this.#verdict(this.#refusal)
  }

  close(): void {
    this.#subscription.unsubscribe()
  }

  #send(): void {
    const { session, subject } = this.#needs
    try {
      for (let next = this.#next(); next !== undefined; next = this.#next()) {
        session.connection.publish(subject, next.body, { headers: next.headers, reply: `${this.#inbox}.${this.#sent}` })
        this.#sent += 1
        this.#bytes += next.bytes
      }
    } catch (error) {
      throw new PublishError('unknown', `publishing to ${subject}: ${messageOf(error)}`, { cause: error })
    }
  }

  /** The next message, if the window has room for it. */
  #next(): EncodedMessage | undefined {
    const unanswered = this.#sent - this.#answered
    const message = this.#messages[this.#sent]
    if (message === undefined || this.#refusal !== undefined || unanswered >= windowMessages) return undefined
    return unanswered > 0 && this.#bytes + message.bytes > windowBytes ? undefined : message
  }

  #take(answer: Msg): void {
    this.#needs.session.acknowledged.at = performance.now()
    const number = Number(answer.subject.slice(this.#inbox.length + 1))
    this.#answered += 1
    this.#bytes -= this.#messages[number]?.bytes ?? 0
    const refusal = refusalIn(answer)
    if (refusal === undefined) this.#held += 1
    else this.#refusal ??= refusal
    this.#progress.ring()
  }

  #verdict({ code, text, absent }: Refusal): Error {
    const where = `publishing to ${this.#needs.subject}: ${text}`
    if (this.#held > 0) return new PublishError('unknown', `${where}; ${this.#held} messages were taken`)
    return absent ? new NobodyListens(where) : new PublishError('refused', where, { code })
  }
}

/** Codes of JetStream's errors: of a message over the stream's limit, and of a stream at one of its limits. */
const messageTooLarge = 10054
const storeFailed = 10077

function refusalIn(answer: Msg): Refusal | undefined {
  if (answer.headers?.code === 503) return { code: 'QUEUE_UNAVAILABLE', text: 'no stream listens', absent: true }
  const { error } = answer.json<{ error?: { err_code?: number; description?: string } }>()
  if (error === undefined) return undefined
  const text = error.description ?? 'the stream refused'
  return { code: refusalCode(error.err_code, text), text, absent: false }
}

function refusalCode(code: number | undefined, text: string): RefusalCode {
  if (code === messageTooLarge) return 'MESSAGE_TOO_LARGE'
  // The server has one code for all that keeps a store from storing; only its text tells a limit from a disk.
  return code === storeFailed && text.includes('maximum') ? 'QUEUE_FULL' : 'PUBLISH_REFUSED'
}
