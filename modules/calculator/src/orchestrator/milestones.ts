import { type Database, type Gather, gather, type Transaction } from '@headrace/database'
import type { Live } from '@headrace/live'
import { type OnBackgroundError, type Running, sleep, startLoop } from '@headrace/runtime'
import { publishExpressions } from '../events.ts'
import { changedExpressions, type ExpressionRow } from '../store/expressions.ts'
import { beginExpressions } from '../store/progress.ts'
import { type Answer, answerTasks, oneForEachTask, type Verdict } from '../store/tasks.ts'

export interface MilestonesNeeds {
  readonly database: Database
  readonly live: Pick<Live, 'publish'>
  readonly onError: OnBackgroundError
}

interface Ending extends Answer {
  verdict: Verdict
}

type Milestone = Ending | { readonly expressionId: number }

/** How long a beginning may wait for the end, with which it is told in one transaction, in ms. */
const soonMs = 50

/**
 * What owners are told of their expressions, in durable transactions: that they have begun, and that they have ended.
 * What comes while one is under way shares the next.
 */
export class Milestones implements Running {
  readonly #live: Pick<Live, 'publish'>
  readonly #gathered: Gather<Milestone>
  readonly #loop: Running
  /** Expressions that have begun, which nobody has been told. */
  readonly #begun = new Set<number>()

  constructor({ database, live, onError }: MilestonesNeeds) {
    this.#live = live
    this.#gathered = gather({ database, write: (tx, milestones) => this.#write(tx, milestones) })
    this.#loop = startLoop({
      name: 'calculator beginnings',
      run: async (signal) => {
        await sleep(soonMs, signal)
        if (!signal.aborted) await this.begin([...this.#begun])
      },
      onError,
    })
  }

  /** Counts an answer that ends its expression. */
  async answer(answer: Answer): Promise<Verdict> {
    const ending: Ending = { ...answer, verdict: 'unknown' }
    await this.#gathered.submit(ending)
    return ending.verdict
  }

  async begin(expressionIds: readonly number[]): Promise<void> {
    await Promise.all(expressionIds.map((expressionId) => this.#gathered.submit({ expressionId })))
  }

  /** The same a little later, or together with the end where that comes first. */
  beginSoon(expressionIds: readonly number[]): void {
    for (const id of expressionIds) this.#begun.add(id)
  }

  async stop(): Promise<void> {
    await this.#loop.stop()
    await this.#gathered.drain()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #write(tx: Transaction, milestones: readonly Milestone[]): Promise<void> {
    const endings = milestones.filter((one) => 'taskId' in one)
    const named = milestones.filter((one) => 'expressionId' in one).map(({ expressionId }) => expressionId)
    const taskIds = endings.map(({ taskId }) => taskId)
    const [begun, changed] = await Promise.all([beginExpressions(tx, named, taskIds), this.#end(tx, endings)])
    publishExpressions(tx, this.#live, begun)
    const isOver = ({ status }: ExpressionRow) => status === 'done' || status === 'failed'
    publishExpressions(tx, this.#live, changed.filter(isOver))
    for (const id of [...named, ...begun.map((row) => row.id)]) this.#begun.delete(id)
  }

  /** Sends everything in one flight. */
  async #end(tx: Transaction, endings: readonly Ending[]): Promise<readonly ExpressionRow[]> {
    if (endings.length === 0) return []
    const counting = oneForEachTask(endings).map((round) => count(tx, round))
    const [changed] = await Promise.all([changedExpressions(tx), ...counting])
    return changed
  }
}

async function count(tx: Transaction, endings: readonly Ending[]): Promise<void> {
  const { judged } = await answerTasks(tx, endings)
  const verdicts = new Map(judged.map(({ taskId, verdict }) => [taskId, verdict]))
  for (const ending of endings) ending.verdict = verdicts.get(ending.taskId) ?? 'unknown'
}
