export { type TestStation, type TestStationOptions, testStation } from './test-station.ts'
