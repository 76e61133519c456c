import { failurePromises } from './failures.ts'
import { groupPromises } from './groups.ts'
import { originPromises } from './origins.ts'
import type { OncePromise } from './promise.ts'

/** What a carrier and the inbox promise together: each message is handled once, in the order of its key. */
export const oncePromises: readonly OncePromise[] = [...groupPromises, ...failurePromises, ...originPromises]
