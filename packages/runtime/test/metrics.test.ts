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

  it('two registries do not meet', async () => {
    createMetrics().counter({ name: 'x_total', help: 'x' }).inc()
    assert.equal((await createMetrics().metricsText()).trim(), '')
  })
})
