import { writeSync } from 'node:fs'

/**
 * Named places between two steps of a promise, where a test lets the process die, stop or slow down.
 * Nothing happens unless the point was armed when the process started, so production code pays one map look-up.
 *
 * `HEADRACE_FAULTS` holds a comma list of `name=action[@n]`: the action happens at the n-th passage (default 1) and,
 * for `delay` and `throw`, at each later one too. Actions: `kill` (SIGKILL to this process), `pause` (SIGSTOP),
 * `throw`, `delay:<ms>`.
 */
export interface FaultPoints {
  /** Passes the point. Returns a promise only when a delay is armed there. */
  at(name: FaultPoint): void | Promise<void>
}

/** Every fault point of the packages, in the order in which a message meets them. */
export const faultPoints = [
  'gather.before-commit',
  'gather.after-commit',
  'effect.before-commit',
  'effect.after-commit',
  'relay.before-publish',
  'relay.after-publish',
  'relay.after-move',
  'batch.before-open',
  'batch.after-open',
  'batch.before-commit',
  'batch.after-commit',
  'trial.after-record',
  'park.before-commit',
  'park.after-commit',
  'work.after-claim',
  'work.after-run',
  'work.after-commit',
  'resume.after-claim',
  'resume.before-commit',
  'resume.after-commit',
  'close.before-commit',
  'takeover.before-commit',
  'takeover.after-commit',
  'deadline.before-commit',
  'deadline.after-commit',
  'retention.after-detach',
  'migrate.before-commit',
] as const

export type FaultPoint = (typeof faultPoints)[number]

interface ArmedFault {
  readonly action: 'kill' | 'pause' | 'throw' | 'delay'
  readonly delayMs: number
  readonly from: number
  passed: number
}

/** Fault points that never do anything. */
export const noFaults: FaultPoints = { at() {} }

/** Reads the armed points from the value of `HEADRACE_FAULTS`; throws `RangeError` on an unknown name or action. */
export function armedFaults(setting: string | undefined): FaultPoints {
  if (setting === undefined || setting.trim() === '') return noFaults
  const armed = new Map(setting.split(',').map((entry) => parseFault(entry.trim())))
  return {
    at(name) {
      const fault = armed.get(name)
      if (fault === undefined) return
      fault.passed += 1
      if (fault.passed >= fault.from) return act(name, fault)
    },
  }
}

function parseFault(entry: string): [FaultPoint, ArmedFault] {
  const match = /^([a-z.-]+)=(kill|pause|throw|delay:(\d+))(?:@(\d+))?$/.exec(entry)
  const name = faultPoints.find((point) => point === match?.[1])
  if (match === null || name === undefined) {
    throw new RangeError(
      `HEADRACE_FAULTS: '${entry}' is not <name>=kill|pause|throw|delay:<ms>[@n]; names: ${faultPoints.join(', ')}`,
    )
  }
  const action = match[2]?.startsWith('delay') ? 'delay' : (match[2] as 'kill' | 'pause' | 'throw')
  return [name, { action, delayMs: Number(match[3] ?? 0), from: Number(match[4] ?? 1), passed: 0 }]
}

function act(name: FaultPoint, fault: ArmedFault): void | Promise<void> {
  if (fault.action === 'delay') return new Promise((resolve) => setTimeout(resolve, fault.delayMs))
  if (fault.action === 'throw') throw new Error(`fault point '${name}'`)
  if (fault.passed > fault.from) return
  // Synchronous, so that the parent that watches standard error knows which point was reached.
  writeSync(2, `fault point ${name}: ${fault.action}\n`)
  process.kill(process.pid, fault.action === 'kill' ? 'SIGKILL' : 'SIGSTOP')
}
