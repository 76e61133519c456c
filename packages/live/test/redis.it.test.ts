import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { it } from 'node:test'
import { testDatabase } from '@headrace/database/testing'
import { redisHostAndPort, redisPubSub } from '@headrace/keyvalue'
import { startRedis } from '../../../tools/services/testing.ts'
import { StreamClient } from './support/client.ts'
import { migrateLive, startReplica } from './support/replica.ts'

it('a stream at another replica is without holes while Redis is stopped, killed and held still', async () => {
  await using redis = await startRedis()
  await using testBase = await testDatabase({ name: 'live' })
  await migrateLive(testBase.url)
  const options = { address: redisHostAndPort(redis.address), onError: () => {}, timeoutMs: 500 }
  await using here = redisPubSub(options)
  await using there = redisPubSub(options)
  await using one = await startReplica({ url: testBase.url, pubsub: here, pollMs: 200 })
  await using other = await startReplica({ url: testBase.url, pubsub: there, pollMs: 200 })
  const subject = randomUUID()
  using client = await new StreamClient(`${other.url}/stream/${subject}`).connected()
  let published = 0
  const publishSome = async () => {
    for (let n = 0; n < 10; n += 1) await one.publish(subject, ++published)
    await client.reaches(published, 30_000)
  }
  await publishSome()
  await redis.stop()
  await publishSome()
  await redis.start()
  await publishSome()
  await redis.kill()
  await publishSome()
  await redis.start()
  redis.pause()
  await publishSome()
  redis.resume()
  await publishSome()
  assert.deepEqual(
    client.ids,
    Array.from({ length: published }, (_, index) => index + 1),
  )
})
