import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { runningEmbeddedServer } from '@headrace/database'
import pg from 'pg'
import type { Server } from './process.ts'

/** What a database holds after a run. */
export interface Audit {
  /** Messages in the log. */
  readonly accepted: number
  /** Those of them that have a result. */
  readonly processed: number
  readonly results: number
}

/** Messages of the pipeline that the brokers in use, and the slowest group, do not have yet. */
export interface Behind {
  readonly relays: number
  readonly groups: number
}

/** A look into the database of a product under load. */
export interface Inside extends AsyncDisposable {
  audit(): Promise<Audit>
  behind(): Promise<Behind>
}

/** Connects to the embedded server that runs in a directory. */
export async function lookInside(directory: string): Promise<Inside> {
  const running = await runningEmbeddedServer(directory)
  if (running === undefined) throw new Error('the embedded server does not run')
  const client = new pg.Client({ connectionString: running.url })
  await client.connect()
  return {
    async audit() {
      const { rows } = await client.query(`
        select (select count(*) from headrace.log where topic = 'diplom-messages')::int as accepted,
          (select count(*) from headrace.log l where topic = 'diplom-messages' and exists (
            select from pipeline.result r where r.message_id = l.message_id))::int as processed,
          (select count(*) from pipeline.result)::int as results`)
      return rows[0]
    },
    async behind() {
      const { rows } = await client.query(`
        with behind as (
          select c.group_name, sum(h.next_offset - 1 - c.position) as messages
          from headrace.log_cursor c join headrace.log_head h using (topic, partition)
          where topic = 'diplom-messages' group by 1)
        select coalesce(max(messages) filter (where group_name like 'relay:%'), 0)::int as relays,
          coalesce(max(messages) filter (where group_name not like 'relay:%'), 0)::int as groups
        from behind`)
      return rows[0]
    },
    [Symbol.asyncDispose]: () => client.end(),
  }
}

/** Messages that wait, as the product says itself. */
export async function queueSize(server: Server): Promise<number | undefined> {
  const answer = await fetch(`${server.url}/api/v1/status`)
  // The contract's status.
  const status = (await answer.json()) as { processor: { stats: { queue: { size: number } } | null } }
  return status.processor.stats?.queue.size
}

/** Waits until `isDone`; returns how long that took in ms. */
export async function untilDone(what: string, isDone: () => Promise<boolean>): Promise<number> {
  const since = performance.now()
  while (performance.now() - since < 300_000) {
    if (await isDone()) return performance.now() - since
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`${what}: not within 300 s`)
}

/** Looks once a second until stopped; a look that fails is left out. */
export function sampled<T>(look: () => Promise<T>): { stop(): Promise<T[]> } {
  const samples: T[] = []
  let looking = Promise.resolve()
  const timer = setInterval(() => {
    looking = look().then(
      (sample) => void samples.push(sample),
      () => undefined,
    )
  }, 1_000)
  return {
    async stop() {
      clearInterval(timer)
      await looking
      return samples
    },
  }
}

/** Runs with a directory on the disk of the working directory, which is removed afterwards. */
export async function inDirectory(action: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(process.cwd(), '.headrace-bench-'))
  try {
    await action(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
