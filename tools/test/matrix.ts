/** True in `make test-all`: everything on every carrier, in full size. */
export const isWholeMatrix = process.env.HEADRACE_TEST_MATRIX === 'whole'

/** Sizes for carriers on servers: smaller otherwise, so that a run of all tests ends while somebody waits for it. */
export const brokerSizes = isWholeMatrix ? {} : { few: 50, many: 1_000, publishers: 20, confirmed: 2_000, rounds: 3 }

/** Of a list, all in the whole matrix and otherwise the first. */
export function wholeOrFirst<T>(all: readonly T[]): readonly T[] {
  return isWholeMatrix ? all : all.slice(0, 1)
}
