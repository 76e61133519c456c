import { postgresHarness, testCarrier } from '@headrace/transport/suite'

testCarrier(postgresHarness((error, name) => console.error(name, error)))
