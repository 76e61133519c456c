import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { untilTrue } from '@headrace/database/testing'
import { startKafka, startNats } from '../../tools/services/testing.ts'
import { startCalculatorTopology } from '../support/calculator.ts'
import { calculatorUser, type TaskSeen } from '../support/calculator-user.ts'

const carriers = {
  kafka: { start: startKafka, settings: (address: string) => ({ QUEUE_TYPE: 'kafka', KAFKA_BROKERS: address }) },
  nats: { start: startNats, settings: (address: string) => ({ QUEUE_TYPE: 'nats', NATS_URL: `nats://${address}` }) },
} as const

// At once: they mostly wait.
describe('workers that are fed by a broker', { concurrency: true, timeout: 600_000 }, () => {
  for (const [name, { start, settings }] of Object.entries(carriers)) {
    it(`(${name}) cost time and nothing else when one is killed and one held still past its lease`, async () => {
      await using broker = await start()
      const times = { TIME_ADDITION_MS: '2s', TASK_LEASE_MS: '1s', TASK_MAX_KILLS: '100' }
      await using calculator = await startCalculatorTopology('workers fed by a broker', {
        ...settings(broker.address),
        ...times,
      })
      const user = await calculatorUser(calculator.url)
      const id = await user.submit('(1+2)*(3+4)*(5+6)*(7+8)')
      // Only what was started has a worker.
      const running = async () => (await user.tasks(id)).filter(({ status, worker }) => status === 'running' && worker)
      const at = (task: TaskSeen) => calculator.named(Number(task.worker?.split(':')[1]))
      await untilTrue('both workers are at work', async () => new Set((await running()).map(at)).size === 2, 60_000)
      const [held] = (await running()).filter((task) => at(task) === 'worker 2')
      assert.ok(held)
      calculator.pause('worker 2')
      await calculator.kill('worker 1')
      await calculator.start('worker 1')
      await untilTrue(
        'the task of the one that is held still is another’s, or done',
        async () => {
          const task = (await user.tasks(id)).find((one) => one.id === held.id)
          return task?.status === 'done' || (task?.worker !== undefined && task.started_at !== held.started_at)
        },
        90_000,
      )
      calculator.resume('worker 2')
      const { status, result } = await user.ended(id)
      assert.deepEqual([status, result], ['done', 3465])
    })
  }
})
