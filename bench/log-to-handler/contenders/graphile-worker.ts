import { Logger, makeWorkerUtils, type Runner, run } from 'graphile-worker'
import pg from 'pg'
import { type Contender, effectTable, payload } from '../contender.ts'

/** As its documentation advises for throughput: a local queue and batched completion. */
const fast = { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 }

export const graphileWorker: Contender = {
  name: 'graphile-worker',
  atomic: false,
  async start({ url, effect, mode, onHandled }) {
    const logger = new Logger(() => () => undefined)
    const pool = new pg.Pool({ connectionString: url, max: 12 })
    const utils = await makeWorkerUtils({ pgPool: pool, logger })
    await utils.migrate()
    await pool.query(effectTable)
    let runner: Runner | undefined
    return {
      async load(ids) {
        const text = `select graphile_worker.add_jobs(array(
          select row('bench', json_build_object('id', id, 'text', $2::text), null, null, null, null, null, null)::graphile_worker.job_spec
          from unnest($1::text[]) as id))`
        for (let at = 0; at < ids.length; at += 5_000) await pool.query(text, [ids.slice(at, at + 5_000), payload.text])
      },
      async send(id) {
        await utils.addJob('bench', { id, ...payload })
      },
      async consume() {
        runner = await run({
          pgPool: pool,
          logger,
          concurrency: mode === 'batch' ? 24 : 8,
          preset: { worker: mode === 'batch' ? fast : {} },
          noHandleSignals: true,
          taskList: {
            async bench(job, helpers) {
              // The payload that `load` and `send` have put in.
              const { id } = job as { id: string }
              if (effect) await helpers.query('insert into bench_effect (id) values ($1)', [id])
              onHandled([id])
            },
          },
        })
      },
      async stop() {
        await runner?.stop()
        await utils.release()
        await pool.end()
      },
    }
  },
}
