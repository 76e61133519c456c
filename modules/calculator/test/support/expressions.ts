import fc from 'fast-check'

/** An expression as its author means it. */
export type Meant =
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'minus'; readonly of: Meant }
  | { readonly kind: 'pair'; readonly operation: '+' | '-' | '*' | '/'; readonly left: Meant; readonly right: Meant }

/** What it comes to: a value, or one of these reasons. */
export type Expected = { readonly value: number } | { readonly reasons: ReadonlySet<string> }

const number = fc
  .oneof(
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 20 }).map(String) },
    { weight: 2, arbitrary: fc.constantFrom('0.5', '.25', '3.', '1.75', '100') },
    { weight: 1, arbitrary: fc.constant('9'.repeat(300)) },
  )
  .map((text): Meant => ({ kind: 'number', text }))

/** Random expressions. */
export const meant: fc.Arbitrary<Meant> = fc.letrec<{ node: Meant }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    number,
    fc.record({ kind: fc.constant('minus' as const), of: tie('node') }),
    fc.record({
      kind: fc.constant('pair' as const),
      operation: fc.constantFrom('+', '-', '*', '/' as const),
      left: tie('node'),
      right: tie('node'),
    }),
  ),
})).node

/** Evaluates what was meant, without any text: nothing of the calculator's code is used. */
export function evaluate(node: Meant): Expected {
  if (node.kind === 'number') return { value: Number(node.text) }
  if (node.kind === 'minus') {
    const of = evaluate(node.of)
    return 'value' in of ? { value: -of.value } : of
  }
  const left = evaluate(node.left)
  const right = evaluate(node.right)
  if (!('value' in left) || !('value' in right)) {
    return { reasons: new Set([...('value' in left ? [] : left.reasons), ...('value' in right ? [] : right.reasons)]) }
  }
  if (node.operation === '/' && right.value === 0) return { reasons: new Set(['division by zero']) }
  const table = {
    '+': left.value + right.value,
    '-': left.value - right.value,
    '*': left.value * right.value,
    '/': left.value / right.value,
  }
  const value = table[node.operation]
  return Number.isFinite(value) ? { value } : { reasons: new Set(['result out of range']) }
}

const strength = { '+': 1, '-': 1, '*': 2, '/': 2 }

/** Writes what was meant, with the parentheses that are needed, and where `blank` says so with blanks. */
export function written(node: Meant, blank: () => string = () => ''): string {
  return sum(node, 0, false)

  function sum(inner: Meant, outer: number, isRight: boolean): string {
    if (inner.kind === 'number') return blank() + inner.text + blank()
    if (inner.kind === 'minus') {
      const of = sum(inner.of, 3, false)
      return `${blank()}-${of}`
    }
    const own = strength[inner.operation]
    const text = `${sum(inner.left, own, false)}${inner.operation}${sum(inner.right, own, true)}`
    return own < outer || (own === outer && isRight) ? `${blank()}(${text})${blank()}` : text
  }
}
