import assert from 'node:assert/strict'
import pg from 'pg'

/** What the pipeline's database holds, counted in the database itself. */
export interface Audit {
  readonly logged: number
  readonly results: number
  readonly parked: number
  /** Ids in the log without a result. */
  readonly unprocessed: readonly string[]
}

export async function audit(databaseUrl: string): Promise<Audit> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const { rows } = await client.query(`
      select (select count(*) from headrace.log)::int as logged,
        (select count(*) from pipeline.result)::int as results,
        (select count(*) from headrace.parked_message)::int as parked,
        array(select message_id from headrace.log l
              where not exists (select from pipeline.result r where r.message_id = l.message_id) limit 10) as unprocessed`)
    return rows[0]
  } finally {
    await client.end()
  }
}

/** Which of the accepted ids have no result. */
export async function missingResults(databaseUrl: string, accepted: Iterable<string>): Promise<string[]> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const { rows } = await client.query(
      `select id from unnest($1::text[]) as id
       where not exists (select from pipeline.result r where r.message_id = id)`,
      [[...accepted]],
    )
    return rows.map(({ id }) => id)
  } finally {
    await client.end()
  }
}

/** Accepted = processed, each once, nothing left behind; what was accepted without an answer is processed, too. */
export async function assertConserved(databaseUrl: string, accepted: ReadonlySet<string>): Promise<Audit> {
  const counted = await audit(databaseUrl)
  assert.deepEqual(await missingResults(databaseUrl, accepted), [], 'accepted and not processed')
  assert.deepEqual(counted.unprocessed, [], 'in the log and not processed')
  // One result an id is the table's key; equal numbers say that no result is without its message.
  assert.equal(counted.results, counted.logged)
  assert.equal(counted.parked, 0)
  return counted
}

/** Waits until the processor's queue is empty, as its status says. */
export async function untilDrained(url: string, deadlineMs = 120_000): Promise<void> {
  const deadline = performance.now() + deadlineMs
  let last: unknown
  while (performance.now() < deadline) {
    // The contract's status.
    const status = (await (await fetch(`${url}/api/v1/status`)).json()) as {
      processor: { stats: { queue: { size: number } } | null }
    }
    last = status
    if (status.processor.stats?.queue.size === 0) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`not everything was processed within ${deadlineMs} ms: ${JSON.stringify(last)}`)
}
