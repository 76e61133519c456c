import { type Membership, startMembership } from '@headrace/inbox'
import { openCarriage } from '@headrace/relay'
import type { OnBackgroundError } from '@headrace/runtime'
import type { Transport } from '../../transport.ts'
import type { CarrierUnderTest } from '../harness.ts'
import { type DatabaseNode, openNode } from '../node.ts'

/** What one process has, so that it can relay and consume. */
export interface SuiteProcess extends DatabaseNode {
  readonly membership: Membership
  readonly onError: OnBackgroundError
}

/** The carriers that a process reads. */
export interface Carried extends AsyncDisposable {
  readonly carriers: readonly Transport[]
}

export async function openProcess(url: string, onError: OnBackgroundError): Promise<SuiteProcess> {
  const node = await openNode(url, onError)
  const membership = startMembership({ ...node, onError })
  const close = async () => {
    await membership.stop()
    await node[Symbol.asyncDispose]()
  }
  return { ...node, onError, membership, [Symbol.asyncDispose]: close }
}

/** A user of each carrier; `wrap` changes them. */
export async function usersOf(
  carriers: readonly CarrierUnderTest[],
  wrap: (carrier: Transport) => Transport,
): Promise<Carried> {
  await using opening = new AsyncDisposableStack()
  const users: Transport[] = []
  for (const carrier of carriers) users.push(opening.use(wrap(await carrier.connect())))
  const open = opening.move()
  return { carriers: users, [Symbol.asyncDispose]: () => open.disposeAsync() }
}

/** Relays the topic from the log of this process to the carriers, as the platform does, and says what is read. */
export async function relaying(process: SuiteProcess, topic: string, users: Carried): Promise<Carried> {
  await using opening = new AsyncDisposableStack()
  opening.use(users)
  await process.log.declareTopic(topic)
  const open = (name: string) => {
    const found = users.carriers.find((carrier) => carrier.name === name)
    if (found === undefined) throw new RangeError(`carrier: '${name}' is none of this promise's`)
    return found
  }
  const providers = users.carriers.map(({ name }) => name)
  const carriage = opening.use(await openCarriage(process, { providers, open }))
  await carriage.relay(topic)
  const opened = opening.move()
  return { carriers: carriage.carriers(topic), [Symbol.asyncDispose]: () => opened.disposeAsync() }
}
