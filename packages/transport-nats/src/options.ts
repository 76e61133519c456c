/** Transport layer security: names of PEM files, read at each connection. */
export interface NatsTls {
  readonly caFile?: string
  readonly certFile?: string
  readonly keyFile?: string
  /** Default true. */
  readonly rejectUnauthorized?: boolean
  /** Begins with the handshake, before the server has said anything; as the server's `handshake_first`. Default false. */
  readonly handshakeFirst?: boolean
}

export interface NatsOptions {
  /** `nats://` or `tls://` addresses, or host and port; one is tried after the other, in random order. */
  readonly servers: readonly string[]
  /** Also from an address, `nats://user:password@host`. */
  readonly user?: string
  readonly password?: string
  readonly token?: string
  /** A `.creds` file (JWT and seed), read at each connection. */
  readonly credentialsFile?: string
  /** TLS without further options is `{}`; an address with `tls://` asks for it, too. */
  readonly tls?: NatsTls
  /** Copies of each stream that is made; default 1. */
  readonly replicas?: number
  /** Age in ms at which the server drops messages of streams that are made; default 24 h. */
  readonly retentionMs?: number
  /** Largest message as encoded, in bytes; default 921 600 (900 KiB), as in the log. */
  readonly messageLimitBytes?: number
  /** Longest wait in ms for a server to answer a connection; default 2 000. */
  readonly connectTimeoutMs?: number
  /** Longest wait in ms for the next acknowledgement of a publish, or an answer to a request; default 5 000. */
  readonly timeoutMs?: number
  /** A connection on which nothing was heard for two to three times this long, in ms, is given up; default 2 000. */
  readonly pingMs?: number
}

export const natsDefaults = {
  replicas: 1,
  retentionMs: 24 * 60 * 60 * 1_000,
  messageLimitBytes: 921_600,
  connectTimeoutMs: 2_000,
  timeoutMs: 5_000,
  pingMs: 2_000,
} as const satisfies Partial<NatsOptions>

export type NatsSettings = NatsOptions & Required<Pick<NatsOptions, keyof typeof natsDefaults>>

/**
 * Fills in the defaults and takes credentials and TLS out of the addresses, so that none of those holds a secret.
 * Throws `RangeError` that names the option, never a password.
 */
export function natsSettings(options: NatsOptions): NatsSettings {
  const settings = { ...natsDefaults, ...options }
  for (const field of Object.keys(natsDefaults) as (keyof typeof natsDefaults)[]) {
    const value = settings[field]
    if (!Number.isInteger(value) || value < 1) throw new RangeError(`${field}: ${value} must be a whole number above 0`)
  }
  if (options.servers.length === 0) throw new RangeError('servers: at least one address is needed')
  const addresses = options.servers.map(parsed)
  const named = addresses.find(({ user }) => user !== undefined)
  const secure = addresses.some(({ secure }) => secure)
  return {
    ...settings,
    servers: addresses.map(({ host }) => host),
    ...(settings.user === undefined && named?.user !== undefined && { user: named.user }),
    ...(settings.password === undefined && named?.password !== undefined && { password: named.password }),
    ...(settings.tls === undefined && secure && { tls: {} }),
  }
}

interface Address {
  readonly host: string
  readonly secure: boolean
  readonly user?: string
  readonly password?: string
}

function parsed(address: string, index: number): Address {
  const text = address.includes('://') ? address : `nats://${address}`
  // The text may hold a password and is not repeated.
  if (!URL.canParse(text)) throw new RangeError(`servers: address ${index + 1} is no address`)
  const { protocol, hostname, port, username, password } = new URL(text)
  if (!['nats:', 'tls:'].includes(protocol) || hostname === '') {
    throw new RangeError(`servers: address ${index + 1} is not nats://host:port or tls://host:port`)
  }
  return {
    host: `${hostname}:${port || 4222}`,
    secure: protocol === 'tls:',
    ...(username !== '' && { user: decodeURIComponent(username) }),
    ...(password !== '' && { password: decodeURIComponent(password) }),
  }
}
