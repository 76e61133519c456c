import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type ErrorRegistry, platformErrors } from '@headrace/runtime'
import type { NamedRegistry } from './document.ts'

/** The packages' registry, then those that the modules' contracts export as `errors`, by name. */
export async function readRegistries(root: string): Promise<NamedRegistry[]> {
  const modules = join(root, 'modules')
  const names = existsSync(modules) ? readdirSync(modules).sort() : []
  const found = await Promise.all(names.map(async (owner) => ({ owner, errors: await errorsOf(join(modules, owner)) })))
  return [
    { owner: 'packages', errors: platformErrors },
    ...found.filter(({ errors }) => Object.keys(errors).length > 0),
  ]
}

async function errorsOf(module: string): Promise<ErrorRegistry> {
  const contract = join(module, 'src/contract.ts')
  if (!existsSync(contract)) return {}
  const { errors } = (await import(pathToFileURL(contract).href)) as { errors?: ErrorRegistry } // checked where it is written
  return errors ?? {}
}
