export * from './nats.ts'
export * from './options.ts'
