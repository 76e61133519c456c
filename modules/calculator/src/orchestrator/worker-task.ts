import type { WorkerTask } from '../contract.ts'
import type { ClaimedTask, LeaseTimes } from '../store/tasks.ts'

/** A leased task as its worker gets it. */
export function workerTask(
  task: Omit<ClaimedTask, 'expressionId' | 'userId' | 'slot'>,
  { leaseMs, operationMs }: LeaseTimes,
): WorkerTask {
  const { id, operation, arg1, arg2, lease } = task
  const operationTime = operationMs[operation]
  return {
    id,
    operation,
    arg1,
    arg2,
    arg: `${arg1}${operation}${isNegative(arg2) ? `(${arg2})` : arg2}`,
    operation_time: operationTime,
    lease,
    lease_ms: leaseMs + operationTime,
  }
}

/** `2--3` is a decrement to some who evaluate it. */
function isNegative(value: number): boolean {
  return value < 0
}
