import type { WorkerTask } from '../contract.ts'
import type { Outcome } from '../domain/compute.ts'

/** What a worker says about a task that it has leased. */
export type TaskReport =
  | { readonly kind: 'answer'; readonly task: WorkerTask; readonly outcome: Outcome }
  /** It is not computed here: others may have it at once. */
  | { readonly kind: 'release'; readonly task: WorkerTask }

/** A worker's way to the orchestrator. */
export interface OrchestratorLink {
  /** Leases at most so many tasks, waiting for the first; none when there is none for a while. */
  take(most: number, signal: AbortSignal): Promise<readonly WorkerTask[]>
  /**
   * Resolves when the reports have been told, with at most so many new tasks; those that do not count change nothing.
   * Throws to be told again.
   */
  report(reports: readonly TaskReport[], most: number): Promise<readonly WorkerTask[]>
  /** Those of these tasks that are no longer this worker's: cancelled, or another's. */
  lost(tasks: readonly WorkerTask[]): Promise<readonly WorkerTask[]>
  close(): Promise<void>
}
