import { withDeadline } from './deadline.ts'
import { type ErrorRegistry, messageOf, PlatformError } from './errors.ts'

/** Something that runs until it is stopped. Stopping twice is stopping once. */
export interface Running extends AsyncDisposable {
  /** Takes nothing new, finishes or aborts what runs, releases what it holds. */
  stop(): Promise<void>
}

/** A separately startable part of a module. */
export interface Role<Context> {
  readonly name: string
  start(context: Context): Promise<Running>
}

/** A business context. `Context` is what the app gives to every module. */
export interface Module<Context> {
  readonly name: string
  /** Started in this order. */
  readonly roles: readonly Role<Context>[]
  /** The module's own error codes. */
  readonly errors?: ErrorRegistry
}

export interface RunningModules extends AsyncDisposable {
  /** What runs, as `module:role`, in the order of starting. */
  readonly roles: readonly string[]
  /** Stops everything in reverse order. `STOP_TIMEOUT` names what had not finished by the deadline. */
  stop(options?: StopOptions): Promise<void>
}

export interface StopOptions {
  /** Time for everything together, in ms; 10 000 unless given. */
  readonly deadlineMs?: number
}

/**
 * The modules that `only` names, with the roles that it names: `orders,payments` or `calculator:worker`.
 * Everything when it is undefined. Throws `INVALID_SETTING` that lists the valid names.
 */
export function selectModules<C>(modules: readonly Module<C>[], only: string | undefined): Module<C>[] {
  if (only === undefined) return [...modules]
  const wanted = only
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
  const valid = modules.flatMap((module) => [module.name, ...module.roles.map((role) => `${module.name}:${role.name}`)])
  const unknown = wanted.find((entry) => !valid.includes(entry))
  if (unknown !== undefined || wanted.length === 0) {
    throw new PlatformError(
      'INVALID_SETTING',
      `there is no module or role '${unknown ?? only}': expected a list of ${valid.join(', ')}`,
    )
  }
  const isWanted = (module: Module<C>, role: Role<C>) =>
    wanted.includes(module.name) || wanted.includes(`${module.name}:${role.name}`)
  return modules
    .map((module) => ({ ...module, roles: module.roles.filter((role) => isWanted(module, role)) }))
    .filter((module) => module.roles.length > 0)
}

/**
 * Starts every role in order. When one fails, those before it are stopped in reverse order and
 * `MODULE_START_FAILED` names it, with its error as the cause.
 */
export async function startModules<C>(modules: readonly Module<C>[], context: C): Promise<RunningModules> {
  const stops: NamedStop[] = []
  try {
    for (const module of modules) {
      for (const role of module.roles) {
        const running = await startRole(module, role, context)
        stops.push({ name: `${module.name}:${role.name}`, stop: () => running.stop() })
      }
    }
    return runningModules(stops)
  } catch (error) {
    // Not an AsyncDisposableStack: a failure while stopping must not cover up why the start failed.
    await stopInReverse(stops, defaultStopMs).catch(() => {})
    throw error
  }
}

const defaultStopMs = 10_000

interface NamedStop {
  readonly name: string
  stop(): Promise<void>
}

async function startRole<C>(module: Module<C>, role: Role<C>, context: C): Promise<Running> {
  try {
    return await role.start(context)
  } catch (cause) {
    const details = { module: module.name, role: role.name }
    const message = `'${module.name}:${role.name}' did not start: ${messageOf(cause)}`
    throw new PlatformError('MODULE_START_FAILED', message, { details, cause })
  }
}

function runningModules(stops: readonly NamedStop[]): RunningModules {
  let stopping: Promise<void> | undefined
  const stop = (options: StopOptions = {}) => (stopping ??= stopInReverse(stops, options.deadlineMs ?? defaultStopMs))
  return { roles: stops.map(({ name }) => name), stop, [Symbol.asyncDispose]: () => stop() }
}

/** One that fails or is late does not keep those below it from being stopped. */
async function stopInReverse(stops: readonly NamedStop[], deadlineMs: number): Promise<void> {
  const deadlineAt = performance.now() + deadlineMs
  const late: string[] = []
  const failures: unknown[] = []
  for (const { name, stop } of stops.toReversed()) {
    const lateError = new PlatformError('STOP_TIMEOUT', `'${name}' did not stop in time`)
    try {
      await withDeadline(stop(), Math.max(0, deadlineAt - performance.now()), () => lateError)
    } catch (error) {
      if (error === lateError) late.push(name)
      else failures.push(error)
    }
  }
  const cause = failures.length > 1 ? new AggregateError(failures, 'several roles failed to stop') : failures[0]
  if (late.length > 0) {
    throw new PlatformError('STOP_TIMEOUT', `not stopped after ${deadlineMs} ms: ${late.join(', ')}`, {
      details: { late },
      cause,
    })
  }
  if (cause !== undefined) throw cause
}
