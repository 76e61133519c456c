export * from './memory.ts'
export * from './message.ts'
export * from './postgres.ts'
export * from './transport.ts'
