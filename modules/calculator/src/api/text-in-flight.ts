import { PlatformError } from '@headrace/runtime'

/** Bounds the text of the expressions that are being parsed and stored: each character may hold 130 bytes meanwhile. */
export interface TextInFlight {
  /** Makes room for an expression until it is disposed of. Throws `QUEUE_FULL` where there is too little. */
  enter(expression: string): Disposable
}

/** 32 expressions of the length that is allowed by default, 4 of the longest that can be. */
const mostCharacters = 2 * 1024 * 1024

/** Room for the requests of a process. */
export function textInFlight(): TextInFlight {
  let held = 0
  return {
    enter({ length }) {
      if (held + length > mostCharacters) {
        throw new PlatformError('QUEUE_FULL', 'too many long expressions are being stored: nothing was accepted')
      }
      held += length
      return {
        [Symbol.dispose]() {
          held -= length
        },
      }
    },
  }
}
