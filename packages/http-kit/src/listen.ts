import type { AddressInfo } from 'node:net'
import { messageOf, PlatformError } from '@headrace/runtime'
import { isLoopback } from './access.ts'

export interface ListenOptions {
  /** Address to listen on; 127.0.0.1 unless given. */
  readonly host?: string
  /** 0 = any free one. */
  readonly port: number
  /** The environment variable that sets the port, named in errors. */
  readonly variable: string
}

export interface ListenAddress {
  readonly host: string
  readonly port: number
  readonly url: string
}

/** Where callers cannot say who they are everybody may do everything, so only this machine may reach the server. */
export function assertReachable(host: string, knowsCallers: boolean): void {
  if (knowsCallers || isLoopback(host)) return
  throw new PlatformError(
    'INVALID_SETTING',
    `HOST is '${host}': expected an address of this machine only (127.0.0.1, ::1 or localhost), because nobody is asked who they are`,
  )
}

/** Why listening failed, naming the port and the variable that changes it. */
export function listenError(error: unknown, host: string, options: ListenOptions): PlatformError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const { port, variable } = options
  if (code === 'EADDRINUSE') {
    const message = `port ${port} is taken: stop what listens there, or set ${variable} to another port (0 = any free one)`
    return new PlatformError('PORT_TAKEN', message, { details: { port, variable }, cause: error })
  }
  const settings = code === 'EACCES' ? `${variable} is '${port}': this port` : `HOST is '${host}': this address`
  return new PlatformError('INVALID_SETTING', `${settings} cannot be listened on (${messageOf(error)})`, {
    cause: error,
  })
}

/** The address as it is shown and used. */
export function listenAddress(address: AddressInfo): ListenAddress {
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return { host: address.address, port: address.port, url: `http://${host}:${address.port}` }
}
