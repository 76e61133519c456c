// Every promise uses a server, and databases (@headrace/database/testing).
import { testCarrier, testOnce } from '@headrace/transport/suite'
import { testNats } from '../../../tools/services/testing.ts'
import { natsHarness } from './support/nats-harness.ts'

const harness = natsHarness(testNats)
testCarrier(harness)
testOnce(harness, ['relayed', 'foreign'])
