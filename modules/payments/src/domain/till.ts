import { type Entry, entriesOf, type Movement } from './ledger.ts'
import { type Charge, decide, evolve, type Payment, type PaymentCommand, type PaymentEvent } from './payment.ts'

/** A customer's account as it was found. */
export interface Purse {
  readonly userId: string
  readonly balanceMinor: number
}

export interface TillNeeds {
  /** What the transaction has locked. */
  readonly purses: readonly Purse[]
  /** Of each account, those that wait in the order in which they came. */
  readonly payments: readonly Payment[]
  readonly newId: () => string
  /** By the database's clock, in ms since the epoch. */
  readonly nowMs: number
}

/** What a transaction has to write. */
export interface TillChanges {
  readonly added: readonly Payment[]
  readonly changed: readonly Payment[]
  readonly purses: readonly Purse[]
  readonly entries: readonly Entry[]
  /** What others are told: each payment as it stands after a command that changed it. */
  readonly told: readonly Payment[]
}

/**
 * The accounts and payments that one transaction has locked. It decides, in memory, what becomes of a batch of commands;
 * each sees what those before it have done. The transaction then writes the changes as a whole.
 */
export class Till {
  readonly #newId: () => string
  readonly #nowMs: number
  readonly #balances: Map<string, number>
  readonly #payments: Map<string, Payment>
  readonly #found: ReadonlySet<string>
  readonly #touchedPurses = new Set<string>()
  readonly #touchedOrders = new Set<string>()
  readonly #entries: Entry[] = []
  readonly #told: Payment[] = []

  constructor({ purses, payments, newId, nowMs }: TillNeeds) {
    this.#newId = newId
    this.#nowMs = nowMs
    this.#balances = new Map(purses.map(({ userId, balanceMinor }) => [userId, balanceMinor]))
    this.#payments = new Map(payments.map((payment) => [payment.orderId, payment]))
    this.#found = new Set(this.#payments.keys())
  }

  /** An order asks to be paid. */
  charge(charge: Charge): void {
    const balanceMinor = this.#balances.get(charge.userId)
    this.#apply(charge.orderId, { kind: 'charge', charge, balanceMinor, nowMs: this.#nowMs })
  }

  /** An order was cancelled: what it has paid goes back, and may pay for others that wait. */
  cancel(charge: Charge): void {
    const events = this.#apply(charge.orderId, { kind: 'cancel', charge })
    const payment = this.#payments.get(charge.orderId)
    if (payment !== undefined && events.some(({ kind }) => kind === 'refunded')) this.#retryWaiting(payment.userId)
  }

  /** Money comes in, and pays for what waits for it. */
  topUp(userId: string, amountMinor: number): void {
    this.#move({ id: this.#newId(), kind: 'topup', userId, amountMinor })
    this.#retryWaiting(userId)
  }

  /** The deadline of an order's payment may have passed. */
  expire(orderId: string): void {
    this.#apply(orderId, { kind: 'expire', nowMs: this.#nowMs })
  }

  /** The balance as it is now; undefined where there is no account. */
  balanceOf(userId: string): number | undefined {
    return this.#balances.get(userId)
  }

  get changes(): TillChanges {
    const touched = [...this.#touchedOrders].flatMap((orderId) => this.#payments.get(orderId) ?? [])
    return {
      added: touched.filter(({ orderId }) => !this.#found.has(orderId)),
      changed: touched.filter(({ orderId }) => this.#found.has(orderId)),
      purses: [...this.#touchedPurses].map((userId) => ({ userId, balanceMinor: this.#balances.get(userId) ?? 0 })),
      entries: this.#entries,
      told: this.#told,
    }
  }

  #retryWaiting(userId: string): void {
    for (const payment of this.#payments.values()) {
      if (payment.userId !== userId || payment.status !== 'pending') continue
      const balanceMinor = this.#balances.get(userId) ?? 0
      this.#apply(payment.orderId, { kind: 'retry', balanceMinor, nowMs: this.#nowMs })
    }
  }

  #apply(orderId: string, command: PaymentCommand): readonly PaymentEvent[] {
    const events = decide(this.#payments.get(orderId), command, this.#newId)
    let payment = this.#payments.get(orderId)
    for (const event of events) {
      payment = evolve(payment, event)
      this.#moveMoney(payment, event)
    }
    if (payment === undefined || events.length === 0) return events
    this.#payments.set(orderId, payment)
    this.#touchedOrders.add(orderId)
    this.#told.push(payment)
    return events
  }

  #moveMoney({ id, orderId, userId, amountMinor }: Payment, event: PaymentEvent): void {
    if (event.kind !== 'completed' && event.kind !== 'refunded') return
    const kind = event.kind === 'completed' ? 'payment' : 'refund'
    this.#move({ id: event.transactionId, kind, userId, amountMinor, orderId, paymentId: id })
  }

  #move(movement: Movement): void {
    const { userId } = movement
    const balanceMinor = this.#balances.get(userId)
    if (balanceMinor === undefined) throw new TypeError(`the account of ${userId} is not locked`)
    const [customer, house] = entriesOf(movement, balanceMinor, this.#newId)
    this.#entries.push(customer, house)
    this.#balances.set(userId, balanceMinor + customer.amountMinor)
    this.#touchedPurses.add(userId)
  }
}
