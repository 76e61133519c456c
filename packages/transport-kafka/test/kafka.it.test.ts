// The suite's second half opens databases (@headrace/database/testing: testDatabase).
import { testCarrier, testOnce } from '@headrace/transport/suite'
import { brokerSizes, wholeOrFirst } from '../../../tools/services/testing.ts'
import { kafkaHarness } from './support/kafka-harness.ts'

const harness = { ...kafkaHarness(), sizes: brokerSizes }
testCarrier(harness)
testOnce(harness, wholeOrFirst(['relayed', 'foreign', 'appended']))
