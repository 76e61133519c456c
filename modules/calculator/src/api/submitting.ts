import { gather } from '@headrace/database'
import { type KeyedRequest, keyedRequests } from '@headrace/http-kit'
import type { Live } from '@headrace/live'
import type { Station } from '@headrace/station'
import { v7 } from 'uuid'
import { type AcceptNeeds, acceptExpressions, type Submission } from '../accept.ts'
import type { ReadyBell } from '../ready-bell.ts'

export interface SubmittingNeeds {
  readonly station: Pick<Station, 'database' | 'log'>
  readonly live: Pick<Live, 'publish'>
  readonly bell: Pick<ReadyBell, 'ring'>
  readonly viaBroker: boolean
}

/** Stores expressions on behalf of requests. */
export interface Submitting {
  /** Resolves with the expression's id when it is on durable storage, to be computed whatever happens. */
  submit(submission: Submission, request: Omit<KeyedRequest, 'caller'>): Promise<{ readonly id: number }>
}

interface Waiting {
  readonly submission: Submission
  id: number
}

/** Requests that arrive while a commit is under way share the next one; those with a key have one of their own. */
export function submitting({ station, live, bell, viaBroker }: SubmittingNeeds): Submitting {
  const { database, log } = station
  const needs: AcceptNeeds = { live, newId: v7, viaBroker }
  const gathered = gather<Waiting>({
    database,
    async write(tx, items) {
      const submissions = items.map(({ submission }) => submission)
      const ids = await acceptExpressions(log.appendingTo(tx), submissions, needs)
      for (const [index, item] of items.entries()) item.id = ids[index] ?? 0
    },
    bytesOf: ({ submission: { raw, graph } }) => raw.length + graph.steps.length * bytesOfTask,
  })
  const keyed = keyedRequests({ database, inTransaction: log.inTransaction.bind(log), newId: v7 })

  async function submitAlone(submission: Submission): Promise<{ readonly id: number }> {
    const waiting: Waiting = { submission, id: 0 }
    await gathered.submit(waiting)
    return { id: waiting.id }
  }

  async function submitKeyed(submission: Submission, request: KeyedRequest): Promise<{ readonly id: number }> {
    const { body } = await keyed.answer(request, async (tx) => {
      const [id] = await acceptExpressions(tx, [submission], needs)
      return { status: 200, body: { id } }
    })
    // What this function stored.
    return body as { readonly id: number }
  }

  return {
    async submit(submission, request) {
      const caller = String(submission.userId)
      const isKeyed = request.header !== undefined
      const accepted = await (isKeyed ? submitKeyed(submission, { ...request, caller }) : submitAlone(submission))
      if (submission.graph.root.kind === 'result') bell.ring()
      return accepted
    },
  }
}

/** About what a task takes on its way to the database. */
const bytesOfTask = 250
