import { type Payload, readAmount } from './amount.ts'
import { readExternalId } from './external-id.ts'
import { readUuid } from './ids.ts'

/** The body of `POST /orders`, its types checked. */
export interface OrderBody {
  readonly order_id?: string
  readonly user_id?: string
  readonly status?: 'deleted'
  readonly payload_json?: Payload | string | null
  readonly payload?: Payload | null
  readonly external_id?: string | number | null
}

/** What a body asks for; the user is told apart, because a token may name it. */
export type OrderIntent =
  | {
      readonly kind: 'upsert'
      /** Undefined: a new order. */
      readonly orderId: string | undefined
      readonly payload: Payload
      readonly amountMinor: number
      readonly externalId: string | undefined
    }
  | { readonly kind: 'delete'; readonly orderId: string }
  /** `reason` names the field and its value. */
  | { readonly kind: 'malformed'; readonly reason: string }

/** Reads a body. `parse` reads JSON text and throws what is to be told of it. */
export function readOrderBody(body: OrderBody, parse: (text: string) => unknown): OrderIntent {
  const isNew = body.order_id === undefined || body.order_id === '' || body.order_id === '0'
  const orderId = isNew ? undefined : readUuid(body.order_id)
  if (!isNew && orderId === undefined) return malformed(`order_id is '${body.order_id?.slice(0, 64)}', not a UUID`)
  if (body.status === 'deleted') {
    return orderId === undefined
      ? malformed('order_id is missing: which order is deleted?')
      : { kind: 'delete', orderId }
  }
  const payload = readPayload(body, parse)
  if (typeof payload === 'string') return malformed(payload)
  const amount = readAmount(payload)
  if (amount.kind === 'invalid') return malformed(amount.reason)
  const externalId = readExternalId(payload, body.external_id)
  if (externalId.kind === 'invalid') return malformed(externalId.reason)
  return { kind: 'upsert', orderId, payload, amountMinor: amount.minor, externalId: externalId.id }
}

/** The payload, or what is wrong with it. */
function readPayload(
  { payload_json, payload }: Pick<OrderBody, 'payload_json' | 'payload'>,
  parse: (text: string) => unknown,
): Payload | string {
  const given = [payload_json, payload].filter((value) => value !== undefined && value !== null && value !== '')
  if (given.length === 0) return 'payload_json is missing'
  if (given.length > 1) return 'payload_json and payload are both given'
  const [written] = given
  const value = typeof written === 'string' ? parse(written) : written
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject ? (value as Payload) : 'payload_json is no JSON object'
}

function malformed(reason: string): OrderIntent {
  return { kind: 'malformed', reason }
}
