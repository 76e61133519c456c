import type { Graph, Operand } from './graph.ts'

/** What is worked out once about a graph, so that no step has to be looked for later. */
export interface Plan {
  /**
   * For each step who waits for its result: the number of the step times 2, plus 1 where the result is the right
   * operand.
   */
  readonly waiters: readonly (readonly number[])[]
  /** For each step its turn among the expression's steps, from 0: those with the longest way to the root first. */
  readonly turns: readonly number[]
}

/** Plans a graph, in time linear in its size. */
export function plan({ steps }: Graph): Plan {
  const waiters: number[][] = steps.map(() => [])
  for (const [index, { left, right }] of steps.entries()) {
    if (left.kind === 'result') waiters[left.of]?.push(index * 2)
    if (right.kind === 'result') waiters[right.of]?.push(index * 2 + 1)
  }
  return { waiters, turns: turnsOf(heightsOf(waiters)) }
}

/** Steps from each step to the root. A step comes after those whose results it uses, so the walk goes backwards. */
function heightsOf(waiters: readonly (readonly number[])[]): number[] {
  const heights: number[] = new Array(waiters.length).fill(0)
  for (let index = waiters.length - 1; index >= 0; index -= 1) {
    for (const waiter of waiters[index] ?? []) {
      heights[index] = Math.max(heights[index] ?? 0, (heights[waiter >> 1] ?? 0) + 1)
    }
  }
  return heights
}

/** Highest first: with equal times no other order finishes a tree earlier (T. C. Hu, 1961). */
function turnsOf(heights: readonly number[]): number[] {
  const levels: number[][] = []
  for (const [index, height] of heights.entries()) {
    levels[height] ??= []
    levels[height].push(index)
  }
  const turns: number[] = new Array(heights.length).fill(0)
  for (const [turn, index] of levels.toReversed().flat().entries()) turns[index] = turn
  return turns
}

/** The number that an operand is, or undefined while it is not known. */
export function knownValue(operand: Operand): number | undefined {
  return operand.kind === 'number' ? operand.value : undefined
}
