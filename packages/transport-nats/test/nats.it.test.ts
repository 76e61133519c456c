// Every promise opens a server and databases (@headrace/database/testing).
import { after, before } from 'node:test'
import { testCarrier, testOnce } from '@headrace/transport/suite'
import { natsHarness } from './support/nats-harness.ts'
import { NatsServer } from './support/nats-server.ts'

let server: NatsServer
before(async () => {
  server = await NatsServer.start()
})
after(() => server[Symbol.asyncDispose]())

const harness = natsHarness(() => server)
testCarrier(harness)
testOnce(harness, ['relayed', 'foreign'])
