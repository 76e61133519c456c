export type Operation = '+' | '-' | '*' | '/'

/** What an operation works on: a number, or the result of another operation, with its sign. */
export type Operand =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'result'; readonly of: number; readonly negated: boolean }

/** One binary operation; its operands come before it in the graph. */
export interface Step {
  readonly operation: Operation
  readonly left: Operand
  readonly right: Operand
}

/** An expression as operations, each with a number: its place in `steps`. */
export interface Graph {
  readonly steps: readonly Step[]
  /** The expression's value. */
  readonly root: Operand
}

export function negated(operand: Operand): Operand {
  if (operand.kind === 'number') return { kind: 'number', value: -operand.value }
  return { ...operand, negated: !operand.negated }
}

/** Collects operations; an operation that is there already is not added again. */
export class GraphBuilder {
  readonly #steps: Step[] = []
  readonly #known = new Map<string, number>()

  add(operation: Operation, left: Operand, right: Operand): Operand {
    const name = `${named(left)}${operation}${named(right)}`
    const of = this.#known.get(name) ?? this.#steps.push({ operation, left, right }) - 1
    this.#known.set(name, of)
    return { kind: 'result', of, negated: false }
  }

  build(root: Operand): Graph {
    return { steps: this.#steps, root }
  }
}

function named(operand: Operand): string {
  if (operand.kind === 'result') return `${operand.negated ? '~' : ''}#${operand.of}`
  // 0 and −0 are different numbers, and only `Object.is` can tell.
  return Object.is(operand.value, -0) ? '~0' : String(operand.value)
}
