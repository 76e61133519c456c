import type { SuitePromise } from '../harness.ts'
import type { OnceProof, Source } from './proof.ts'

export interface OncePromise extends SuitePromise<OnceProof> {
  /** Sources that it speaks of; all unless given. */
  readonly sources?: readonly Source[]
}
