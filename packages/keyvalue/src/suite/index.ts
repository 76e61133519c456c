export { type KeyValueFixture, keyValuePromises } from './keyvalue-promises.ts'
export { type DriverPromise, driverPromise, until } from './proof.ts'
export { type PubSubFixture, pubSubPromises } from './pubsub-promises.ts'
