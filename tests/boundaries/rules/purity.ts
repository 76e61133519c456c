import { inSources, matchesIn, type Rule } from '../rule.ts'
import { isRelative, isTest, targetOf } from '../tree.ts'

const impure =
  /\b(?:Date\.now|performance\.now|Math\.random|crypto\.|process\.|setTimeout|setInterval|setImmediate|queueMicrotask|fetch)\b|\bnew Date\(\s*\)/g

const domainIsPure: Rule = {
  name: 'domain-is-pure',
  promise: 'domain/ imports nothing outside itself and asks neither clock, chance nor the world',
  check: (tree) =>
    inSources(tree, (workspace, source) => {
      const domain = `${workspace.path}/src/domain/`
      if (workspace.kind !== 'modules' || !source.path.startsWith(domain)) return []
      const outside = source.imports
        .filter(({ specifier }) => !isRelative(specifier) || !targetOf(source, specifier).startsWith(domain))
        .map(({ specifier, line }) => ({ line, what: `domain imports ${specifier}` }))
      return [...outside, ...matchesIn(source, impure).map(({ line, text }) => ({ line, what: `domain uses ${text}` }))]
    }),
}

/** What belongs to whoever owns the process. Its id, its memory and signals to others are anybody's. */
const ownerOnly =
  /\bprocess\s*\.\s*(?:on|once|off|addListener|prependListener|removeListener|removeAllListeners|exit|exitCode|abort|env|argv|stdin|chdir|umask|loadEnvFile)\b/g

const mainOwnsTheProcess: Rule = {
  name: 'main-owns-the-process',
  promise: 'only the platform’s main touches the process: its signals, its exit and its environment',
  check: (tree) =>
    inSources(tree, (workspace, source) => {
      if (isTest(source) || source.path === 'apps/platform/src/main.ts') return []
      const imported = source.imports
        .filter(({ specifier }) => specifier === 'node:process' || specifier === 'process')
        .map(({ specifier, line }) => ({ line, what: `${workspace.path} imports ${specifier}` }))
      return [
        ...imported,
        ...matchesIn(source, ownerOnly).map(({ line, text }) => ({ line, what: `${text} outside main` })),
      ]
    }),
}

/** The rules about what code may reach besides imports. */
export const purityRules: readonly Rule[] = [domainIsPure, mainOwnsTheProcess]
