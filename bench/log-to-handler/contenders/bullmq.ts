import { Queue, Worker } from 'bullmq'
import pg from 'pg'
import { type Contender, effectTable, payload } from '../contender.ts'

const name = 'bench'

export const bullmq: Contender = {
  name: 'bullmq',
  atomic: false,
  async start({ url, effect, mode, onHandled }) {
    const connection = { url: process.env['BENCH_REDIS_URL'] ?? 'redis://127.0.0.1:6379', maxRetriesPerRequest: null }
    const queue = new Queue(name, { connection })
    const pool = new pg.Pool({ connectionString: url, max: 12 })
    await pool.query(effectTable)
    let worker: Worker | undefined
    return {
      async load(ids) {
        const jobs = (part: readonly string[]) =>
          part.map((id) => ({ name, data: { id, ...payload }, opts: { removeOnComplete: true } }))
        for (let at = 0; at < ids.length; at += 2_000) await queue.addBulk(jobs(ids.slice(at, at + 2_000)))
      },
      async send(id) {
        await queue.add(name, { id, ...payload }, { removeOnComplete: true })
      },
      async consume() {
        const concurrency = mode === 'batch' ? 64 : 8
        worker = new Worker<{ id: string }>(
          name,
          async ({ data }) => {
            if (effect) await pool.query('insert into bench_effect (id) values ($1)', [data.id])
            onHandled([data.id])
          },
          { connection, concurrency },
        )
      },
      async stop() {
        await worker?.close(true)
        await queue.obliterate({ force: true })
        await queue.close()
        await pool.end()
      },
    }
  },
}
