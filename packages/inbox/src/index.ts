export * from './admin.ts'
export { type ConsumerNeeds, inboxMigrations, startConsumer } from './consumer.ts'
export * from './errors.ts'
export {
  declareLeases,
  type Lease,
  type LeaseHolder,
  type LeaseKeeper,
  type LeaseOptions,
  startLeases,
} from './leases.ts'
export { type Membership, type MembershipNeeds, memberAlive, startMembership, type Term } from './membership.ts'
export * from './types.ts'
