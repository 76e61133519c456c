import { type RedisAddress, redisAddress, redisHostAndPort, redisKeyValue, redisPubSub } from '@headrace/keyvalue'
import { type OnBackgroundError, PlatformError } from '@headrace/runtime'
import type { Base } from './base.ts'
import type { PlatformSettings } from './settings.ts'

type RedisSettings = Pick<PlatformSettings, 'REDIS_URL' | 'REDIS_ADDR' | 'REDIS_USER' | 'REDIS_PASSWORD' | 'REDIS_DB'>

/** Values that expire and hints between replicas, in Redis. */
export interface RedisStores extends AsyncDisposable, Pick<Base, 'keyvalue' | 'pubsub'> {
  probe(): Promise<unknown>
}

/** Connects to the Redis that is set; undefined when none is. Throws `INVALID_SETTING` for a malformed address. */
export function openRedis(settings: RedisSettings, onError: OnBackgroundError): RedisStores | undefined {
  const address = addressOf(settings)
  if (address === undefined) return undefined
  const keyvalue = redisKeyValue({ address, onError })
  const pubsub = redisPubSub({ address, onError })
  return {
    keyvalue,
    pubsub,
    probe: () => Promise.all([keyvalue.probe(), pubsub.probe()]),
    async [Symbol.asyncDispose]() {
      await Promise.all([keyvalue.stop(), pubsub.stop()])
    },
  }
}

function addressOf(settings: RedisSettings): RedisAddress | undefined {
  const { REDIS_URL, REDIS_ADDR, REDIS_USER: user, REDIS_PASSWORD: password, REDIS_DB: db } = settings
  if (REDIS_URL !== undefined) return named('REDIS_URL', () => redisAddress(REDIS_URL))
  if (REDIS_ADDR === undefined) return undefined
  const place = named('REDIS_ADDR', () => redisHostAndPort(REDIS_ADDR))
  return { ...place, db, ...(user !== undefined && { user }), ...(password !== undefined && { password }) }
}

function named<T>(variable: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new PlatformError('INVALID_SETTING', `${variable}: ${cause.message}`, { cause })
  }
}
