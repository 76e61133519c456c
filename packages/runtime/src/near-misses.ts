import type { Environment } from './settings.ts'

export interface NearMiss {
  /** The variable that is set and that nobody reads. */
  readonly name: string
  /** The variable that was probably meant. */
  readonly meant: string
}

/**
 * Variables that differ from a known name by a slip of the hand: one character in five, or only by case.
 * Variables of other programs are not near anything and are ignored.
 */
export function nearMisses(knownNames: readonly string[], env: Environment): NearMiss[] {
  const known = new Set(knownNames)
  return Object.keys(env)
    .filter((name) => env[name] !== undefined && !known.has(name))
    .flatMap((name) => {
      const meant = nearest(name, knownNames)
      return meant === undefined ? [] : [{ name, meant }]
    })
}

function nearest(name: string, knownNames: readonly string[]): string | undefined {
  const upper = name.toUpperCase()
  const candidates = knownNames
    .map((known) => ({ known, distance: editDistance(upper, known, allowedSlips(known)) }))
    .filter(({ known, distance }) => distance <= allowedSlips(known))
  return candidates.toSorted((a, b) => a.distance - b.distance)[0]?.known
}

// Short names are close to each other by nature (HOST, POST, PORT): fewer than six characters must match but for case.
function allowedSlips(known: string): number {
  return known.length < 6 ? 0 : Math.max(1, Math.floor(known.length / 5))
}

/** Optimal string alignment distance (insert, delete, replace, swap neighbours); stops counting above `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const replaced = at(previous, column - 1) + (a[row - 1] === b[column - 1] ? 0 : 1)
      const isSwap = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      const swapped = row > 1 && column > 1 && isSwap ? at(before, column - 2) + 1 : Infinity
      current.push(Math.min(replaced, swapped, at(previous, column) + 1, at(current, column - 1) + 1))
    }
    before = previous
    previous = current
  }
  return at(previous, b.length)
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity
}
