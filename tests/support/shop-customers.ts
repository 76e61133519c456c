import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'

/** What customers know for certain: each wish was repeated until it had an answer that says what happened. */
export interface Customers {
  readonly users: readonly string[]
  /** Minor units that each user has put on the account. */
  readonly toppedUpMinor: ReadonlyMap<string, number>
  readonly orders: ReadonlySet<string>
  /** Begins to shop, until the signal aborts and what was begun is answered. */
  shop(signal: AbortSignal): Promise<void>
}

export interface CustomerOptions {
  /** Where the shop answers now; any of them may die. */
  readonly urls: () => readonly string[]
  readonly users: number
  /** Pause in ms of a customer between two wishes. */
  readonly pauseMs: number
}

interface Known {
  readonly toppedUpMinor: Map<string, number>
  readonly orders: Set<string>
}

/** Customers who top up, order and cancel at random, each wish with an Idempotency-Key of its own. */
export async function customers({ urls, users: count, pauseMs }: CustomerOptions): Promise<Customers> {
  const ask = (path: string, body: unknown) => finalAnswer(urls, path, body)
  const users: string[] = []
  for (let index = 0; index < count; index += 1) {
    users.push(String((await ask('/payments-api/accounts', {})).body['user_id']))
  }
  const known: Known = { toppedUpMinor: new Map(users.map((user) => [user, 0])), orders: new Set() }
  const one = async (user: string, signal: AbortSignal) => {
    const own: string[] = []
    while (!signal.aborted) {
      await wish(user, own, known, ask)
      await delay(pauseMs)
    }
  }
  return {
    users,
    ...known,
    shop: async (signal) => void (await Promise.all(users.map((user) => one(user, signal)))),
  }
}

type Ask = (path: string, body: unknown) => Promise<FinalAnswer>

async function wish(user: string, own: string[], known: Known, ask: Ask): Promise<void> {
  const dice = Math.random()
  const minor = 1 + Math.floor(Math.random() * 20_000)
  if (dice < 0.3) {
    await ask(`/payments-api/accounts/${user}/topup`, { amount: minor / 100 })
    known.toppedUpMinor.set(user, (known.toppedUpMinor.get(user) ?? 0) + minor)
  } else if (dice < 0.8 || own.length === 0) {
    const id = String((await ask('/orders-api/orders', { user_id: user, amount: minor / 100 })).body['id'])
    own.push(id)
    known.orders.add(id)
  } else {
    const id = own[Math.floor(Math.random() * own.length)]
    await ask(`/orders-api/orders/${id}/cancel`, {})
  }
}

interface FinalAnswer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

/** Repeats with the same key, wherever somebody answers, until the answer says what happened. */
async function finalAnswer(urls: () => readonly string[], path: string, body: unknown): Promise<FinalAnswer> {
  const headers = { 'content-type': 'application/json', 'idempotency-key': randomUUID() }
  const sent = { method: 'POST', headers, body: JSON.stringify(body) }
  for (let attempt = 0; attempt < 2_000; attempt += 1) {
    const all = urls()
    const url = all[Math.floor(Math.random() * all.length)]
    const answer = await fetch(`${url}${path}`, { ...sent, signal: AbortSignal.timeout(20_000) }).then(
      async (response) => ({ status: response.status, body: (await response.json()) as Record<string, unknown> }),
      () => undefined,
    )
    if (answer !== undefined && isFinal(answer)) return answer
    await delay(20)
  }
  throw new Error(`no final answer to ${path}`)
}

function isFinal({ status, body }: FinalAnswer): boolean {
  if (status === 200 || status === 201) return true
  if (status === 409) return body['code'] === 'too_late_to_cancel'
  if (status === 503) return false
  throw new Error(`unexpected answer ${status} ${JSON.stringify(body)}`)
}
