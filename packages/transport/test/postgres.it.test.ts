// Every promise opens databases (@headrace/database/testing).
import { postgresHarness, testCarrier, testOnce } from '@headrace/transport/suite'

const harness = postgresHarness((error, name) => console.error(name, error))

testCarrier(harness)
testOnce(harness, ['appended'])
