// The suite's second half opens databases (@headrace/database/testing: testDatabase).
import { testCarrier, testOnce } from '@headrace/transport/suite'
import { kafkaHarness } from './support/kafka-harness.ts'

testCarrier(kafkaHarness())
testOnce(kafkaHarness(), ['relayed', 'foreign'])
