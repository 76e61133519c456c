import type { Module } from '@headrace/runtime'
import type { GatewayContext } from './context.ts'
import { startGateway } from './gateway.ts'

export type { GatewayContext } from './context.ts'

/** The gateway. It starts last, when what it mounts is there. */
export function gatewayModule(): Module<GatewayContext> {
  return { name: 'gateway', roles: [{ name: 'gateway', start: startGateway }] }
}
