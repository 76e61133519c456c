// Every promise opens databases (@headrace/database/testing: testDatabase), on the brokers of testNats and testKafka.
import { compositeHarness, testCarrier, testOnce } from '@headrace/transport/suite'
import { kafkaHarness } from '../../packages/transport-kafka/test/support/kafka-harness.ts'
import { natsHarness } from '../../packages/transport-nats/test/support/nats-harness.ts'
import { brokerSizes, testNats, wholeOrFirst } from '../../tools/services/testing.ts'

const harness = compositeHarness([natsHarness(testNats), kafkaHarness()], { sizes: brokerSizes })
testCarrier(harness)
testOnce(harness, wholeOrFirst(['appended', 'relayed', 'foreign']))
