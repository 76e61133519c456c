/** Where a Redis server is. Holds a password: never log it. */
export interface RedisAddress {
  readonly host: string
  readonly port: number
  readonly user?: string
  readonly password?: string
  /** Number of the database; 0 unless given. */
  readonly db?: number
  /** Encrypted, with the server's certificate checked; false unless given. */
  readonly tls?: boolean
}

const defaultPort = 6379

/**
 * The address that a URL names: `redis://user:password@host:port/db`, with `rediss:` encrypted. Throws `RangeError`
 * that says what is wrong with it and repeats none of it.
 */
export function redisAddress(text: string): RedisAddress {
  if (!URL.canParse(text)) throw new RangeError('the Redis URL is malformed')
  const url = new URL(text)
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') {
    throw new RangeError('the Redis URL begins with neither redis:// nor rediss://')
  }
  const path = url.pathname.replace(/^\//, '')
  if (!/^\d{0,4}$/.test(path)) throw new RangeError('the path of the Redis URL is no number of a database')
  return {
    // A URL writes an IPv6 address in brackets, a socket does not.
    host: url.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1',
    port: url.port === '' ? defaultPort : Number(url.port),
    ...(url.username !== '' && { user: decodeURIComponent(url.username) }),
    ...(url.password !== '' && { password: decodeURIComponent(url.password) }),
    db: Number(path),
    tls: url.protocol === 'rediss:',
  }
}

/** The same of `host`, `host:port` or `[host]:port`. Throws `RangeError` that names the text. */
export function redisHostAndPort(text: string): Pick<RedisAddress, 'host' | 'port'> {
  const parts = /^(?:\[(?<six>[\da-f:.]+)\]|(?<name>[^\s:/@[\]]+))(?::(?<port>\d{1,5}))?$/i.exec(text)?.groups
  const port = Number(parts?.['port'] ?? defaultPort)
  const host = parts?.['six'] ?? parts?.['name']
  if (host === undefined || port > 65_535) throw new RangeError(`'${text}' is not host:port`)
  return { host, port }
}
