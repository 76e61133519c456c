import assert from 'node:assert/strict'
import { it } from 'node:test'
import { maxMessages, Pace } from '../src/pace.ts'

it('a provider that confirms quickly is sent more at once, up to what one read brings', () => {
  const pace = new Pace(10_000)
  for (let round = 0; round < 20; round += 1) pace.ended(pace.messages, 10)
  assert.equal(pace.messages, maxMessages)
})

it('what was less than a whole batch says nothing about a larger one', () => {
  const pace = new Pace(10_000)
  const before = pace.messages
  for (let round = 0; round < 20; round += 1) pace.ended(1, 1)
  assert.equal(pace.messages, before)
})

it('a provider that is slow is sent less at once, and never nothing', () => {
  const pace = new Pace(10_000)
  for (let round = 0; round < 20; round += 1) pace.ended(pace.messages, 2_000)
  assert.equal(pace.messages, 1)
})

it('a provider that is away and says so at once is sent neither less nor more', () => {
  const pace = new Pace(10_000)
  const before = pace.messages
  for (let round = 0; round < 20; round += 1) pace.ended(0, 5)
  assert.equal(pace.messages, before)
})
