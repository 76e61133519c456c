import type { Graph, Operand, Operation } from './graph.ts'
import { parse } from './parse.ts'

/** What an operation comes to: a finite number, or the reason why there is none. */
export type Outcome =
  | { readonly kind: 'value'; readonly value: number }
  | { readonly kind: 'failed'; readonly reason: string }

/** Applies one operation to two finite numbers. */
export function compute(operation: Operation, left: number, right: number): Outcome {
  if (operation === '/' && right === 0) return { kind: 'failed', reason: 'division by zero' }
  const value = applied(operation, left, right)
  return Number.isFinite(value) ? { kind: 'value', value } : { kind: 'failed', reason: 'result out of range' }
}

/**
 * The value of an expression. Throws `ExpressionError` where it does not follow the grammar, and `RangeError` with
 * `division by zero` or `result out of range`.
 */
export function calc(expression: string): number {
  return evaluate(parse(expression))
}

function evaluate({ steps, root }: Graph): number {
  const results: number[] = []
  for (const { operation, left, right } of steps) {
    const outcome = compute(operation, operandValue(left, results), operandValue(right, results))
    if (outcome.kind === 'failed') throw new RangeError(outcome.reason)
    results.push(outcome.value)
  }
  return operandValue(root, results)
}

function operandValue(operand: Operand, results: readonly number[]): number {
  if (operand.kind === 'number') return operand.value
  const value = results[operand.of] ?? Number.NaN
  return operand.negated ? -value : value
}

function applied(operation: Operation, left: number, right: number): number {
  switch (operation) {
    case '+':
      return left + right
    case '-':
      return left - right
    case '*':
      return left * right
    case '/':
      return left / right
  }
}
