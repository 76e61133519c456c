// Every promise opens databases (@headrace/database/testing: testDatabase). The servers are this file's own.
import { after } from 'node:test'
import { compositeHarness, testServers } from '@headrace/transport/suite'
import { kafkaHarness } from '../../packages/transport-kafka/test/support/kafka-harness.ts'
import { natsHarness } from '../../packages/transport-nats/test/support/nats-harness.ts'
import { brokerSizes, startKafka, startNats, type TestService, wholeOrFirst } from '../../tools/services/testing.ts'

let started: Promise<readonly [TestService, TestService]> | undefined
const servers = () => (started ??= Promise.all([startNats(), startKafka()]))
after(async () => {
  for (const server of (await started) ?? []) await server[Symbol.asyncDispose]()
})

const nats = { ...natsHarness(async () => (await servers())[0].address), sizes: brokerSizes }
const kafka = { ...kafkaHarness({ brokers: async () => (await servers())[1].address }), sizes: brokerSizes }
const columns = [
  () => testServers(compositeHarness([nats, kafka], { sizes: brokerSizes }), servers),
  () => testServers(nats, async () => [(await servers())[0]]),
  () => testServers(kafka, async () => [(await servers())[1]]),
]
for (const register of wholeOrFirst(columns)) register()
