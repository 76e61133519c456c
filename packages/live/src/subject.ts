import type { Connection } from './connection.ts'
import { Sequence } from './sequence.ts'

/** A subject that somebody here is connected to, or about to be. */
export class Subject {
  readonly name: string
  readonly sequence = new Sequence()
  readonly connections = new Set<Connection>()
  /** Requests that have entered and not yet become connections. */
  entering = 0
  isFilling = false

  constructor(name: string) {
    this.name = name
  }

  get isWanted(): boolean {
    return this.entering > 0 || this.connections.size > 0
  }
}
