/** Accounts of the house: where top-ups come from, and where payments go. */
export type HouseAccount = 'cash' | 'sales'

export type MovementKind = 'topup' | 'payment' | 'refund'

/** Money that moves between a customer and the house. */
export interface Movement {
  readonly id: string
  readonly kind: MovementKind
  readonly userId: string
  readonly amountMinor: number
  readonly orderId?: string
  readonly paymentId?: string
}

/** A line of the ledger. The two lines of a movement sum to zero. */
export interface Entry {
  readonly id: string
  readonly movementId: string
  readonly kind: MovementKind
  /** The customer; undefined on a line of the house. */
  readonly userId?: string
  readonly house?: HouseAccount
  /** Signed: what the account gains. */
  readonly amountMinor: number
  /** Of the customer, after this line. */
  readonly balanceAfterMinor?: number
  readonly orderId?: string
  readonly paymentId?: string
}

/** The customer's sign, and who in the house has the other side. */
const sides = {
  topup: { sign: 1, house: 'cash' },
  payment: { sign: -1, house: 'sales' },
  refund: { sign: 1, house: 'sales' },
} as const satisfies Record<MovementKind, { readonly sign: 1 | -1; readonly house: HouseAccount }>

/** Writes a movement as its two lines. Throws `RangeError` where the balance would fall below zero. */
export function entriesOf(
  movement: Movement,
  balanceMinor: number,
  newId: () => string,
): [customer: Entry, house: Entry] {
  const { id, userId, amountMinor, ...about } = movement
  const { sign, house } = sides[movement.kind]
  const gained = sign * amountMinor
  const balanceAfterMinor = balanceMinor + gained
  if (balanceAfterMinor < 0) throw new RangeError(`account of ${userId} would fall to ${balanceAfterMinor}`)
  const common = { ...about, movementId: id }
  return [
    { ...common, id: newId(), userId, amountMinor: gained, balanceAfterMinor },
    { ...common, id: newId(), house, amountMinor: -gained },
  ]
}
