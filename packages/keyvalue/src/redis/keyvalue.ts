import type { Running } from '@headrace/runtime'
import { type Counter, type KeyValue, requireKey, requireTtl, requireValue, type Ttl } from '../keyvalue.ts'
import { RedisConnection, type RedisOptions, RedisRefusal } from './connection.ts'

/** Key-value in Redis (6.2 or newer), with a connection of its own. */
export interface RedisKeyValue extends KeyValue, Running {
  /** Asks the server for real, without side effects. Throws `KEYVALUE_UNAVAILABLE`. */
  probe(): Promise<void>
}

const compareAndSetScript = `
  if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
  redis.call('set', KEYS[1], ARGV[2], 'px', ARGV[3])
  return 1`

// A count without a time is a new one; later ones keep theirs.
const incrementScript = `
  local count = redis.call('incr', KEYS[1])
  local left = redis.call('pttl', KEYS[1])
  if left < 0 then
    redis.call('pexpire', KEYS[1], ARGV[1])
    left = tonumber(ARGV[1])
  end
  return { count, left }`

/**
 * Key-value in Redis. Each method is one command or one script, so that it is atomic; commands of one turn share a
 * round trip. Times go by the server's clock. What it holds is lost with a server that does not persist.
 */
export function redisKeyValue(options: RedisOptions): RedisKeyValue {
  const connection = new RedisConnection('keyvalue', options)
  const stop = () => connection.stop()
  return { ...valuesOver(connection), ...countsOver(connection), stop, [Symbol.asyncDispose]: stop }
}

function valuesOver(connection: RedisConnection): Omit<KeyValue, 'increment'> {
  return {
    async get(key) {
      requireKey(key)
      return (await connection.send((redis) => redis.get(key))) ?? undefined
    },
    async set(key, value, ttl) {
      requireEntry(key, value, ttl)
      await connection.send((redis) => redis.set(key, value, 'PX', ttl.ttlMs))
    },
    async setIfAbsent(key, value, ttl) {
      requireEntry(key, value, ttl)
      return (await connection.send((redis) => redis.set(key, value, 'PX', ttl.ttlMs, 'NX'))) === 'OK'
    },
    async compareAndSet(key, expected, value, ttl) {
      requireEntry(key, value, ttl)
      requireValue(expected)
      const set = await connection.send((redis) => redis.eval(compareAndSetScript, 1, key, expected, value, ttl.ttlMs))
      return set === 1
    },
    async take(key) {
      requireKey(key)
      return (await connection.send((redis) => redis.getdel(key))) ?? undefined
    },
    async delete(key) {
      requireKey(key)
      return (await connection.send((redis) => redis.del(key))) === 1
    },
  }
}

function countsOver(connection: RedisConnection): Pick<RedisKeyValue, 'increment' | 'probe'> {
  return {
    async increment(key, ttl) {
      requireEntry(key, '', ttl)
      try {
        return counterOf(await connection.send((redis) => redis.eval(incrementScript, 1, key, ttl.ttlMs)))
      } catch (error) {
        if (!(error instanceof RedisRefusal)) throw error
        throw new TypeError('the value is no integer that can be counted up', { cause: error })
      }
    },
    async probe() {
      await connection.send((redis) => redis.ping())
    },
  }
}

function counterOf(answer: unknown): Counter {
  const [count, left] = Array.isArray(answer) ? answer : []
  if (typeof count !== 'number' || typeof left !== 'number') throw new TypeError('the script answered something else')
  return { count, expiresInMs: Math.max(1, left) }
}

function requireEntry(key: string, value: string, ttl: Ttl): void {
  requireKey(key)
  requireValue(value)
  requireTtl(ttl)
}
