import { gatewayModule } from '@headrace/gateway/module'
import { pipelineModule } from '@headrace/pipeline/module'
import { type Module, selectModules } from '@headrace/runtime'
import type { BareContext, PlatformContext } from './context.ts'

/** What of the catalogue runs in a process. */
export interface Selection {
  /** In the order of starting: what others offer is there before who uses it. */
  readonly stored: readonly Module<PlatformContext>[]
  /** Modules that need no database. */
  readonly bare: readonly Module<BareContext>[]
  /** True when nothing of the catalogue is left out. */
  readonly isWhole: boolean
  has(role: string): boolean
}

/** The modules and roles that `only` names; all unless given. Throws `INVALID_SETTING` that lists the valid names. */
export function selection(only: string | undefined): Selection {
  const stored: readonly Module<PlatformContext>[] = [pipelineModule()]
  const bare: readonly Module<BareContext>[] = [gatewayModule()]
  const all: readonly Module<PlatformContext>[] = [...stored, ...bare]
  const selected = selectModules(all, only)
  const roles = new Set(rolesOf(selected))
  const chosen = <C>(modules: readonly Module<C>[]): Module<C>[] =>
    modules
      .map((module) => ({ ...module, roles: module.roles.filter(({ name }) => roles.has(`${module.name}:${name}`)) }))
      .filter((module) => module.roles.length > 0)
  return {
    stored: chosen(stored),
    bare: chosen(bare),
    isWhole: roles.size === rolesOf(all).length,
    has: (role) => roles.has(role),
  }
}

function rolesOf<C>(modules: readonly Module<C>[]): string[] {
  return modules.flatMap(({ name, roles }) => roles.map((role) => `${name}:${role.name}`))
}
