import { type App, invalidRequest, type Reply, type Request } from '@headrace/http-kit'
import { moduleError, PlatformError } from '@headrace/runtime'
import { Type } from 'typebox'
import { errors } from '../contract.ts'
import type { Answer, Verdict } from '../store/tasks.ts'
import type { Dispatcher } from './dispatcher.ts'
import { exchange } from './exchange.ts'
import type { PollRequest } from './polls.ts'

export interface TaskRouteNeeds {
  readonly dispatcher: Dispatcher
  /** True where no operation takes time: then a worker may have more tasks than it runs at once. */
  readonly isInstant: boolean
}

/** Most tasks in one answer. */
const mostTasks = 512

/** Longest wait in s: a connection on which nothing moves for longer is cut. */
const mostWaitS = 50

const whoAsks = {
  instant: Type.Optional(
    Type.Integer({ minimum: 1, description: 'In place of max or claim where operations take no time.' }),
  ),
  worker: Type.Optional(Type.String({ pattern: '^[\\x21-\\x7e]{1,100}$', description: 'Shown with the tasks.' })),
}

const pollQuery = Type.Object({
  wait: Type.Optional(Type.Number({ minimum: 0, description: 'Seconds to wait for a task; at most 50 count.' })),
  max: Type.Optional(
    Type.Integer({ minimum: 1, description: 'Answers `{"tasks":[…]}` with so many at most; 512 count.' }),
  ),
  ...whoAsks,
})

const answerQuery = Type.Object({
  claim: Type.Optional(
    Type.Integer({ minimum: 1, description: 'With tasks: answers also `{"next":[…]}`, so many new ones at most.' }),
  ),
  ...whoAsks,
})

const answerFields = {
  result: Type.Optional(Type.Unknown({ description: 'The number.' })),
  error: Type.Optional(Type.Unknown({ description: 'Why there is no number; the expression fails with it.' })),
  lease: Type.Optional(Type.String({ description: 'As it came with the task.' })),
  released: Type.Optional(Type.Boolean({ description: 'Gives the task back instead of answering it.' })),
}

const id = Type.String({ minLength: 1 })

const uuid = Type.String({ format: 'uuid' })

const answerBody = Type.Object({
  id: Type.Optional(id),
  ...answerFields,
  tasks: Type.Optional(
    Type.Array(Type.Object({ id, ...answerFields }), { minItems: 1, maxItems: 512, description: 'Several at once.' }),
  ),
})

interface GivenAnswer {
  readonly id: string
  readonly result?: unknown
  readonly error?: unknown
  readonly lease?: string
  readonly released?: boolean
}

const heldBody = Type.Object({
  tasks: Type.Array(Type.Object({ id: uuid, lease: uuid }), { minItems: 1, maxItems: mostTasks }),
})

/** Adds what workers pull their tasks from and answer to. */
export function addTaskRoutes(app: App, needs: TaskRouteNeeds): void {
  const { dispatcher } = needs
  // Workers that wait would hold up the end of the server.
  app.addHook('preClose', async () => dispatcher.endPolls())
  addPollRoute(app, needs)
  addHeldRoute(app, needs)
  app.post(
    '/internal/task',
    {
      config: { access: 'internal' },
      schema: { tags: ['internal'], summary: 'Answers leased tasks', querystring: answerQuery, body: answerBody },
    },
    async (request, reply) => {
      const { tasks, id: only, ...given } = request.body
      const { claim } = request.query
      if (tasks === undefined) {
        if (only === undefined) throw invalidRequest('id is missing')
        return answerOne(dispatcher, { id: only, ...given })
      }
      const counting = Promise.all(tasks.map((one) => statusOf(dispatcher, one)))
      if (claim === undefined) return { tasks: await counting }
      const { counted, next } = await exchange(dispatcher, counting, asking(needs, request, { reply, most: claim }))
      return { tasks: counted, next }
    },
  )
}

function addPollRoute(app: App, needs: TaskRouteNeeds): void {
  app.get(
    '/internal/task',
    {
      config: { access: 'internal' },
      // It leases: HEAD would take a task that nobody gets.
      exposeHeadRoute: false,
      schema: { tags: ['internal'], summary: 'Leases ready tasks', querystring: pollQuery },
    },
    async (request, reply) => {
      const { wait = 0, max } = request.query
      const waitMs = Math.min(wait, mostWaitS) * 1000
      const tasks = await needs.dispatcher.take({ ...asking(needs, request, { reply, most: max ?? 1 }), waitMs })
      const [task] = tasks
      if (task === undefined) throw new PlatformError('NOT_FOUND', 'there is no task')
      return max === undefined ? { task } : { tasks }
    },
  )
}

function addHeldRoute(app: App, { dispatcher }: TaskRouteNeeds): void {
  app.post(
    '/internal/task/held',
    {
      config: { access: 'internal' },
      schema: { tags: ['internal'], summary: 'Says which leases are no longer their holders’', body: heldBody },
    },
    async ({ body: { tasks } }) => {
      const lost = await dispatcher.lost(tasks.map(({ id: taskId, lease }) => ({ taskId, lease })))
      return { lost }
    },
  )
}

type Asking = Request & { readonly query: { readonly instant?: number; readonly worker?: string } }

/** Who asks for tasks, and how many it takes: more where it answers them at once. */
function asking(
  { isInstant }: TaskRouteNeeds,
  { query, ip }: Asking,
  { reply, most }: { readonly reply: Reply; readonly most: number },
): Omit<PollRequest, 'waitMs'> {
  const { instant, worker = ip } = query
  const isBrief = isInstant && instant !== undefined
  return { max: Math.min(isBrief ? instant : most, mostTasks), worker, isBrief, signal: goneSignal(reply) }
}

/** Aborts when the connection is closed before there is an answer. */
function goneSignal({ raw }: Reply): AbortSignal {
  const gone = new AbortController()
  if (raw.destroyed) gone.abort()
  raw.once('close', () => gone.abort())
  return gone.signal
}

async function answerOne(dispatcher: Dispatcher, given: GivenAnswer): Promise<{ ok: true }> {
  const error = await refusalOf(dispatcher, given)
  if (error !== undefined) throw error
  return { ok: true }
}

async function statusOf(dispatcher: Dispatcher, given: GivenAnswer): Promise<{ id: string; status: number }> {
  const error = await refusalOf(dispatcher, given)
  return { id: given.id, status: error?.definition.status ?? 200 }
}

/** Counts an answer; why it does not count, where it does not. */
async function refusalOf(dispatcher: Dispatcher, given: GivenAnswer): Promise<PlatformError | undefined> {
  const { id, lease, released } = given
  const outcome = released ? undefined : outcomeOf(given)
  if (outcome instanceof PlatformError) return outcome
  if (!isUuid(id)) return refusals.unknown(id)
  // A lease that we cannot have given is nobody's.
  if (lease !== undefined && !isUuid(lease)) return refusals.stale(id)
  if (outcome !== undefined) {
    const verdict = await dispatcher.answer({
      taskId: id.toLowerCase(),
      outcome,
      ...(lease !== undefined && { lease }),
    })
    return refusals[verdict](id)
  }
  if (lease === undefined) throw invalidRequest('lease is missing: a task is given back with its lease')
  dispatcher.release([{ taskId: id, lease }])
}

const refusals: Readonly<Record<Verdict, (id: string) => PlatformError | undefined>> = {
  counted: () => undefined,
  repeated: () => undefined,
  unknown: (id) => new PlatformError('NOT_FOUND', `there is no task '${id.slice(0, 100)}'`),
  stale: (id) =>
    new PlatformError(
      moduleError(errors, 'TASK_LEASE_LOST'),
      `task '${id}' is finished or cancelled, or its lease is another worker's`,
    ),
}

/** Longest error text of a worker that is kept. */
const mostErrorLength = 500

function outcomeOf({ result, error }: GivenAnswer): Answer['outcome'] | PlatformError {
  if (typeof error === 'string' && error !== '') return { kind: 'failed', reason: error.slice(0, mostErrorLength) }
  if (typeof result === 'number' && Number.isFinite(result)) return { kind: 'value', value: result }
  return new PlatformError(
    moduleError(errors, 'RESULT_NOT_A_NUMBER'),
    'result must be a finite number, or error a text that says why there is none',
  )
}

function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text)
}
