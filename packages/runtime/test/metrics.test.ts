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

  it('two registries do not meet', async () => {
    createMetrics().counter({ name: 'x_total', help: 'x' }).inc()
    assert.equal((await createMetrics().metricsText()).trim(), '')
  })
})
