import type { Queryable, Statement } from '@headrace/database'
import { asking } from './asking.ts'

/** An event of a subject as it is stored. */
export interface StoredEvent {
  readonly seq: number
  readonly event: string
  readonly json: string
}

/** How far a subject reaches. */
export interface Head {
  readonly subject: string
  readonly seq: number
}

/** What is stored of streams. */
export interface LiveStore {
  /** The number of the subject's last event, 0 when there is none; read after this call. */
  head(subject: string): Promise<number>
  /**
   * The events that follow `seq` without a hole, at most a page of them; none when the next is not there: nothing has
   * happened since, or retention has removed it.
   */
  after(subject: string, seq: number): Promise<readonly StoredEvent[]>
  /** Of subjects with the numbers known of them, those that have grown. */
  grown(known: readonly Head[]): Promise<readonly Head[]>
}

/** A page: bounded in events and in bytes, at least one event. */
const pageEvents = 64
const pageBytes = 131_072

/** Streams over the tables. Questions that come together share statements, at most two of a kind at once. */
export function liveStore(database: Queryable): LiveStore {
  const heads = asking<string, number>({
    run: (subjects) => readHeads(database, subjects),
    maxQuestions: 500,
    flights: 2,
  })
  const pages = asking<Head, readonly StoredEvent[]>({
    run: (asked) => readPages(database, asked),
    maxQuestions: 16,
    flights: 2,
  })
  return {
    head: (subject) => heads.ask(subject),
    after: (subject, seq) => pages.ask({ subject, seq }),
    async grown(known) {
      const { rows } = await database.query<Head>(grownStatement(known))
      return rows
    },
  }
}

async function readHeads(database: Queryable, subjects: readonly string[]): Promise<number[]> {
  const { rows } = await database.query<Head>({
    name: 'live.heads',
    text: 'select subject, seq from headrace.live_head where subject = any($1)',
    values: [subjects],
  })
  const heads = new Map(rows.map(({ subject, seq }) => [subject, seq]))
  return subjects.map((subject) => heads.get(subject) ?? 0)
}

interface PageRow extends StoredEvent {
  readonly slot: number
}

async function readPages(database: Queryable, asked: readonly Head[]): Promise<StoredEvent[][]> {
  const { rows } = await database.query<PageRow>(pagesStatement(asked))
  const pages = asked.map((): StoredEvent[] => [])
  for (const { slot, seq, event, json } of rows) {
    const page = pages[slot - 1]
    const from = asked[slot - 1]?.seq ?? 0
    // What lies behind a hole is left out, so that nobody passes over it unseen.
    if (page !== undefined && seq === from + page.length + 1) page.push({ seq, event, json })
  }
  return pages
}

function pagesStatement(asked: readonly Head[]): Statement {
  return {
    name: 'live.pages',
    text: `select a.slot, e.seq, e.event, e.data as json
             from unnest($1::text[], $2::bigint[]) with ordinality as a(subject, seq, slot)
             cross join lateral (
               select p.*, coalesce(sum(octet_length(p.data)) over (
                 order by p.seq rows between unbounded preceding and 1 preceding), 0) as bytes_before
               from (select seq, event, data from headrace.live_event l
                       where l.subject = a.subject and l.seq > a.seq order by l.seq limit ${pageEvents}) p
             ) e
             where e.bytes_before < ${pageBytes}
             order by a.slot, e.seq`,
    values: [asked.map(({ subject }) => subject), asked.map(({ seq }) => seq)],
  }
}

function grownStatement(known: readonly Head[]): Statement {
  return {
    name: 'live.grown',
    // A plan made while there are few heads would read all of them later.
    replan: true,
    text: `select h.subject, h.seq from unnest($1::text[], $2::bigint[]) as k(subject, seq)
             join headrace.live_head h on h.subject = k.subject where h.seq > k.seq`,
    values: [known.map(({ subject }) => subject), known.map(({ seq }) => seq)],
  }
}
