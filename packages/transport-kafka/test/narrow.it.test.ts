// The suite's second half opens databases (@headrace/database/testing: testDatabase), on the broker of testKafka.
import { testOnce } from '@headrace/transport/suite'
import { kafkaHarness } from './support/kafka-harness.ts'

// Topics that others made: our partition p travels in p mod 3, and the leases of one partition share its fetch.
testOnce(kafkaHarness({ partitions: 3 }), ['relayed'])
