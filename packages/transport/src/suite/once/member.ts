import type { Database } from '@headrace/database'
import { type Consumer, type Delivery, type Subscription, startConsumer } from '@headrace/inbox'
import type { OnBackgroundError } from '@headrace/runtime'
import { type Carried, openProcess, type SuiteProcess } from './carried.ts'

/** What a promise changes about how a group consumes. */
export interface Consuming extends Partial<Omit<Subscription, 'group' | 'topic' | 'handle' | 'work'>> {
  /** Runs in the handler before its effect. */
  readonly before?: (messages: readonly Delivery[]) => Promise<void> | void
}

export interface MemberNeeds {
  readonly url: string
  readonly topic: string
  /** Makes what this member reads. */
  readonly carry: (process: SuiteProcess) => Promise<Carried>
  /** A connection of the suite's own. */
  readonly administration: Database
  readonly onError: OnBackgroundError
}

/** One process of a group, as far as this one can play it: connections, membership and carriers of its own. */
export class Member implements AsyncDisposable {
  readonly name: string
  readonly #needs: MemberNeeds
  readonly #process: SuiteProcess
  readonly #carried: Carried
  readonly #consumers: Consumer[] = []

  static async open(needs: MemberNeeds): Promise<Member> {
    await using opening = new AsyncDisposableStack()
    const process = opening.use(await openProcess(needs.url, needs.onError))
    const carried = opening.use(await needs.carry(process))
    opening.move()
    return new Member(needs, process, carried)
  }

  private constructor(needs: MemberNeeds, process: SuiteProcess, carried: Carried) {
    this.name = process.name
    this.#needs = needs
    this.#process = process
    this.#carried = carried
  }

  /** Consumes the topic with a group; each message's effect is a row, in the transaction of its batch. */
  async consume(group: string, { before, ...options }: Consuming = {}): Promise<Consumer> {
    const { database, log, membership } = this.#process
    const needs = { database, log, membership, carriers: this.#carried.carriers, onError: this.#needs.onError }
    const consumer = await startConsumer(needs, {
      backoff: { baseMs: 10, maxMs: 100 },
      ...options,
      group,
      topic: this.#needs.topic,
      handle: async (tx, messages) => {
        await before?.(messages)
        await tx.query({
          name: 'suite.effect',
          text: `insert into suite_effect (group_name, member, id, key, attempt)
                 select $1, $2, id, key, attempt from unnest($3::text[], $4::text[], $5::int[])
                   with ordinality as m(id, key, attempt, n) order by n`,
          values: [
            group,
            this.name,
            messages.map(({ id }) => id),
            messages.map(({ key }) => key),
            messages.map(({ attempt }) => attempt),
          ],
        })
      },
    })
    this.#consumers.push(consumer)
    return consumer
  }

  /** Cuts off the session by which the others see that this member lives; it goes on working without knowing. */
  async cutOff(): Promise<void> {
    await this.#process.wakeUps.stop()
  }

  /** Cuts off everything that this member has of the database, in the middle of whatever it does, as its death would. */
  async kill(): Promise<void> {
    await this.cutOff()
    const text = 'select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1'
    await this.#needs.administration.query({ text, values: [this.name] })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const consumer of this.#consumers) await consumer.stop()
    await this.#carried[Symbol.asyncDispose]()
    await this.#process[Symbol.asyncDispose]()
  }
}
