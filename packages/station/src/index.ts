export { type LogElsewhereNeeds, startLogElsewhere } from './log-elsewhere.ts'
export { type StationNeeds, station } from './start.ts'
export type { Station } from './station.ts'
