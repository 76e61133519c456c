import { memoryHarness, testCarrier, testOnce } from '@headrace/transport/suite'

testCarrier(memoryHarness())
testOnce(memoryHarness(), ['relayed', 'foreign'])
