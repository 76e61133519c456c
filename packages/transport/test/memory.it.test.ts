// The suite's second half opens databases (@headrace/database/testing).
import { memoryHarness, testCarrier, testOnce } from '@headrace/transport/suite'

testCarrier(memoryHarness())
testOnce(memoryHarness(), ['relayed', 'foreign'])
