import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createMetrics } from '../src/index.ts'

describe('createMetrics', () => {
  it('writes counters, gauges and histograms as text', async () => {
    const metrics = createMetrics()
    metrics.counter({ name: 'x_total', help: 'x', labels: ['kind'] }).inc({ kind: 'a' }, 2)
    metrics.gauge({ name: 'depth', help: 'd', collect: (gauge) => gauge.set(7) })
    metrics.histogram({ name: 'wait_seconds', help: 'w', buckets: [0.1, 1] }).observe(0.5)
    const written = await metrics.metricsText()
    assert.match(written, /^x_total\{kind="a"\} 2$/m)
    assert.match(written, /^depth 7$/m)
    assert.match(written, /^wait_seconds_bucket\{le="1"\} 1$/m)
  })

  it('the same name is the same metric', () => {
    const metrics = createMetrics()
    const wanted = { name: 'x_total', help: 'x' }
    assert.equal(metrics.counter(wanted), metrics.counter(wanted))
  })

  it('numbers that are kept elsewhere are read when asked for, those of one name together', async () => {
    const metrics = createMetrics()
    let count = 1
    const metric = { name: 'y_total', help: 'y', type: 'counter' } as const
    metrics.custom({ ...metric, read: () => [{ labels: { part: 'a' }, value: count }] })
    metrics.custom({ ...metric, read: () => [{ name: 'y_sum', labels: {}, value: 5 }] })
    count = 2
    const written = await metrics.metricsText()
    assert.match(written, /# TYPE y_total counter\ny_total\{part="a"\} 2\ny_sum 5\n/)
    assert.equal(written.match(/# TYPE/g)?.length, 1)
  })

  it('a gauge that cannot be read is left out and told of, and the others are written', async () => {
    const told: unknown[] = []
    const metrics = createMetrics({ onError: (error, name) => told.push([name, (error as Error).message]) })
    let isAway = false
    const read = async () => {
      if (isAway) throw new Error('away')
    }
    metrics.gauge({ name: 'plain', help: 'p', collect: (gauge) => read().then(() => gauge.set(7)) })
    const labels = ['part'] as const
    metrics.gauge({
      name: 'parts',
      help: 'p',
      labels,
      collect: (gauge) => read().then(() => gauge.set({ part: 'a' }, 1)),
    })
    metrics.counter({ name: 'x_total', help: 'x' }).inc()
    assert.match(await metrics.metricsText(), /^plain 7$.*^parts\{part="a"\} 1$/ms)
    isAway = true
    const written = await metrics.metricsText()
    assert.match(written, /^x_total 1$/m)
    // What was true before is not said again.
    assert.doesNotMatch(written, /^(plain|parts)/m)
    const failed = [
      ['plain', 'away'],
      ['parts', 'away'],
    ]
    assert.deepEqual(told, failed)
  })

  it('two registries do not meet', async () => {
    createMetrics().counter({ name: 'x_total', help: 'x' }).inc()
    assert.equal((await createMetrics().metricsText()).trim(), '')
  })
})
