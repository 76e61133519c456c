import { createHash } from 'node:crypto'
import type { StoredOrder } from '../store/read-orders.ts'
import type { CachedOrder } from './order-cache.ts'

/** An order as it is answered: its bytes and the tag that stands for them. */
export function serialised({ order, version }: StoredOrder): CachedOrder {
  const bytes = Buffer.from(JSON.stringify(order))
  const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`
  return { bytes, etag, version }
}
