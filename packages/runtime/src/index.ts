export * from './clock.ts'
export * from './errors.ts'
export * from './fault-points.ts'
export * from './wait.ts'
