import assert from 'node:assert/strict'
import { it } from 'node:test'
import { memoryTransport } from '@headrace/transport'
import { Breaker } from '../src/breaker.ts'
import { Provider } from '../src/provider.ts'

it('a publish that is called back ends, also while another call decides about the provider', async () => {
  let now = 0
  const breaker = new Breaker({ failures: 1, now: () => now })
  await using transport = memoryTransport()
  const provider = new Provider(transport, 'orders', { breaker })
  breaker.failed(new Error('away'))
  now = 60_000
  assert.ok(breaker.enter(), 'the one call that decides')
  const calledBack = AbortSignal.abort()
  await assert.rejects(provider.publish(3, [], calledBack), { name: 'AbortError' })
})
