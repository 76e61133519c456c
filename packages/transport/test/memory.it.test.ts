import { memoryHarness, testCarrier } from '@headrace/transport/suite'

testCarrier(memoryHarness())
