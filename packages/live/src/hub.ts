import { isInfrastructureError } from '@headrace/database'
import {
  type BackgroundSet,
  backgroundSet,
  type OnBackgroundError,
  type Running,
  sleep,
  startLoop,
} from '@headrace/runtime'
import type { Connection } from './connection.ts'
import { eventFrame, type Frame } from './frame.ts'
import type { Hint } from './hints.ts'
import { type EncodedEvent, encodeData } from './live-event.ts'
import type { LiveStore } from './store.ts'
import { Subject } from './subject.ts'

export interface HubNeeds {
  readonly store: LiveStore
  readonly onError: OnBackgroundError
  /** Pause in ms between two looks at the heads of all connected subjects. */
  readonly pollMs: number
}

/**
 * The connections of a process. Each subject's events go to its connections in order, from hints where they suffice and
 * from the table where something is missing; heads are looked at now and then, so that a lost hint costs a moment.
 */
export class Hub implements Running {
  readonly #needs: HubNeeds
  readonly #subjects = new Map<string, Subject>()
  /** Subjects with something to send at the end of this turn. */
  readonly #due = new Set<Subject>()
  readonly #background: BackgroundSet
  readonly #poll: Running

  constructor(needs: HubNeeds) {
    this.#needs = needs
    this.#background = backgroundSet(needs.onError)
    this.#poll = startLoop({ name: 'live heads', run: (signal) => this.#look(signal), onError: needs.onError })
  }

  /** Registers interest in a subject: from now on nothing of it is missed. Ended by `leave`, or by what `join` begins. */
  enter(name: string): Subject {
    const subject = this.#subjects.get(name) ?? new Subject(name)
    this.#subjects.set(name, subject)
    subject.entering += 1
    return subject
  }

  leave(subject: Subject): void {
    subject.entering -= 1
    this.#forgetUnwanted(subject)
  }

  /** Makes a connection of a request that had entered. `head` was read after that. */
  join(connection: Connection, head: number): void {
    const { subject } = connection
    subject.entering -= 1
    subject.connections.add(connection)
    subject.sequence.begin(head)
    this.#attend(subject)
    this.#follow(connection)
  }

  part(connection: Connection): void {
    connection.subject.connections.delete(connection)
    this.#forgetUnwanted(connection.subject)
  }

  /** Takes note of what was published, here or elsewhere. */
  hear(hints: readonly Hint[]): void {
    for (const { subject: name, seq, content } of hints) {
      const subject = this.#subjects.get(name)
      if (subject === undefined) continue
      subject.sequence.hear(seq, content)
      this.#attend(subject)
    }
  }

  /** Tells whoever is connected of something that is neither kept nor numbered. */
  tell(name: string, content: Pick<EncodedEvent, 'event' | 'json'>): void {
    const subject = this.#subjects.get(name)
    if (subject === undefined) return
    subject.sequence.add(content)
    this.#attend(subject)
  }

  get connections(): readonly Connection[] {
    return [...this.#subjects.values()].flatMap(({ connections }) => [...connections])
  }

  /** Ends all connections. */
  async stop(): Promise<void> {
    for (const connection of this.connections) connection.end()
    await this.#poll.stop()
    await this.#background.settled()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  #forgetUnwanted(subject: Subject): void {
    if (!subject.isWanted && this.#subjects.get(subject.name) === subject) this.#subjects.delete(subject.name)
  }

  /** Sends what is ready at the end of this turn, in one write a connection; reads what is missing. */
  #attend(subject: Subject): void {
    if (this.#due.size === 0) setImmediate(() => this.#flush())
    this.#due.add(subject)
    if (subject.sequence.missingAfter === undefined || subject.isFilling) return
    subject.isFilling = true
    this.#background.add('live fill', this.#fill(subject))
  }

  #flush(): void {
    const due = [...this.#due]
    this.#due.clear()
    for (const subject of due) {
      const batch = subject.sequence.take()
      if (batch === undefined) continue
      const [first] = batch.parts
      const whole: Frame =
        first !== undefined && batch.parts.length === 1
          ? first.frame
          : Buffer.concat(batch.parts.map(({ frame }) => frame))
      for (const connection of subject.connections) {
        if (connection.isLive && !connection.deliver(batch, whole)) this.#follow(connection)
      }
    }
  }

  /** Reads the events that are missing between what was sent and what was heard of. */
  async #fill(subject: Subject): Promise<void> {
    const { sequence, name } = subject
    try {
      for (let after = sequence.missingAfter; after !== undefined && subject.isWanted; after = sequence.missingAfter) {
        const events = await this.#needs.store.after(name, after)
        if (events.length > 0) sequence.fill(events)
        else sequence.settle(await this.#needs.store.head(name))
        this.#attend(subject)
      }
    } catch (error) {
      // The poll meets the same, tells of it, and begins again afterwards.
      if (!isInfrastructureError(error)) throw error
    } finally {
      subject.isFilling = false
    }
    // Batches that began behind a hole do not reach those before it: they find their own way.
    for (const connection of subject.connections) this.#follow(connection)
  }

  /** Makes a connection live, once it has what was sent before. */
  #follow(connection: Connection): void {
    if (connection.isCatchingUp || connection.isClosed) return
    connection.isLive = connection.position >= connection.subject.sequence.sent
    if (connection.isLive) return
    connection.isCatchingUp = true
    this.#background.add('live catch-up', this.#catchUp(connection))
  }

  async #catchUp(connection: Connection): Promise<void> {
    const { sequence, name } = connection.subject
    try {
      while (!connection.isClosed && connection.position < sequence.sent) {
        const events = await this.#needs.store.after(name, connection.position)
        const last = events.at(-1)
        if (last === undefined) await this.#reset(connection)
        else {
          connection.write(Buffer.concat(events.map(({ seq, event, json }) => eventFrame(seq, event, json))))
          connection.position = last.seq
        }
        await connection.drained()
      }
      connection.isLive = true
    } catch (error) {
      // Tried again after the next look at the heads that succeeds.
      if (isInfrastructureError(error)) return
      connection.cut()
      throw error
    } finally {
      connection.isCatchingUp = false
    }
  }

  /** The client's position is older than what is kept: it is given the present state instead. */
  async #reset(connection: Connection): Promise<void> {
    // Read before the state: what happens in between is in the state and told again, never left out.
    const head = await this.#needs.store.head(connection.subject.name)
    const json = encodeData(await connection.snapshot())
    if (head <= connection.position) return connection.cut()
    connection.write(eventFrame(head, 'reset', json))
    connection.position = head
  }

  async #look(signal: AbortSignal): Promise<void> {
    await sleep(this.#needs.pollMs, signal)
    if (signal.aborted || this.#subjects.size === 0) return
    const known = [...this.#subjects.values()].flatMap(({ name, sequence: { position } }) =>
      position === undefined ? [] : [{ subject: name, seq: position }],
    )
    this.hear((await this.#needs.store.grown(known)).map((head) => ({ ...head, content: undefined })))
    for (const connection of this.connections) if (!connection.isLive) this.#follow(connection)
  }
}
