// Every promise uses a server, and databases (@headrace/database/testing).
import { testCarrier, testOnce } from '@headrace/transport/suite'
import { brokerSizes, testNats, wholeOrFirst } from '../../../tools/services/testing.ts'
import { natsHarness } from './support/nats-harness.ts'

const harness = { ...natsHarness(testNats), sizes: brokerSizes }
testCarrier(harness)
testOnce(harness, wholeOrFirst(['foreign', 'relayed', 'appended']))
