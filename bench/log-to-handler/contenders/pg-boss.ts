import pg from 'pg'
import { PgBoss } from 'pg-boss'
import { type Contender, effectTable, payload } from '../contender.ts'

const queue = 'bench'

export const pgBoss: Contender = {
  name: 'pg-boss',
  atomic: false,
  async start({ url, effect, mode, onHandled }) {
    const boss = new PgBoss({ connectionString: url, max: 12, useListenNotify: true })
    boss.on('error', (error) => process.stderr.write(`pg-boss: ${String(error)}\n`))
    await boss.start()
    await boss.createQueue(queue, { notify: true })
    const pool = new pg.Pool({ connectionString: url, max: 8 })
    await pool.query(effectTable)
    return {
      async load(ids) {
        for (let at = 0; at < ids.length; at += 5_000) {
          await boss.insert(
            queue,
            ids.slice(at, at + 5_000).map((id) => ({ data: { id, ...payload } })),
          )
        }
      },
      async send(id) {
        await boss.send(queue, { id, ...payload })
      },
      async consume() {
        // One at a time it only polls; two at a time is the least with which it goes on while there is more.
        const options = { batchSize: mode === 'batch' ? 500 : 2, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 }
        const workers = mode === 'batch' ? 4 : 8
        for (let worker = 0; worker < workers; worker += 1) {
          await boss.work<{ id: string }>(queue, options, async (jobs) => {
            const ids = jobs.map(({ data }) => data.id)
            if (effect) await pool.query('insert into bench_effect (id) select unnest($1::text[])', [ids])
            onHandled(ids)
          })
        }
      },
      async stop() {
        await boss.stop({ graceful: false })
        await pool.end()
      },
    }
  },
}
