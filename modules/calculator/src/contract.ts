import {
  bytes,
  defineSettings,
  durationMs,
  type ErrorRegistry,
  integer,
  oneOf,
  type SettingsOf,
  url,
} from '@headrace/runtime'

export { calc, compute, type Outcome } from './domain/compute.ts'
export { ExpressionError } from './domain/expression-error.ts'
export type { Operation } from './domain/graph.ts'
export type { ExpressionStatus } from './store/expressions.ts'

/** An operation's simulated cost. */
function operationTime(operation: string) {
  return durationMs({
    default: 0,
    max: 86_400_000,
    doc: `What ${operation} costs a worker beside the computation, in ms.`,
  })
}

/** The variables of this module. */
export const calculatorSettings = defineSettings({
  CALCULATOR_WORKERS: oneOf(['http', 'broker'], {
    default: 'http',
    doc: 'How workers get their tasks: http (they pull from the orchestrator) or broker (through the carrier in use).',
  }),
  CALCULATOR_SYNTAX_ERROR_STATUS: oneOf(['500', '422'], {
    default: '500',
    doc: 'Status of the answer to an expression that does not follow the grammar.',
  }),
  EXPRESSION_LIMIT_BYTES: bytes({
    default: 65_536,
    min: 1,
    max: 524_288,
    doc: 'Longest expression in bytes of UTF-8.',
  }),
  TIME_ADDITION_MS: operationTime('an addition'),
  TIME_SUBTRACTION_MS: operationTime('a subtraction'),
  TIME_MULTIPLICATIONS_MS: operationTime('a multiplication'),
  TIME_DIVISIONS_MS: operationTime('a division'),
  TASK_LEASE_MS: durationMs({
    default: 10_000,
    min: 100,
    doc: 'How long a worker may take for a task beside its operation time, in ms; then it is given to another.',
  }),
  TASK_START_MS: durationMs({
    default: 30_000,
    min: 100,
    doc: 'With CALCULATOR_WORKERS=broker: a task that no worker has started for so long is published again, in ms.',
  }),
  TASK_MAX_KILLS: integer({
    default: 5,
    min: 1,
    max: 1000,
    doc: 'Workers that a task may cost before its expression fails.',
  }),
  TASK_RETENTION_MS: durationMs({
    default: 604_800_000,
    min: 1_000,
    doc: 'How long the tasks of an expression that has ended can be read, in ms (a week); the expression itself stays.',
  }),
  COMPUTING_POWER: integer({
    min: 1,
    max: 1024,
    doc: 'Operations that a worker runs at a time; unset = the number of cores.',
  }),
  ORCHESTRATOR_URL: url({
    default: 'http://localhost:8083',
    doc: 'Where a worker in another process finds the orchestrator.',
  }),
})

export type CalculatorSettings = SettingsOf<typeof calculatorSettings>

/** This module's error codes. */
export const errors = {
  INVALID_EXPRESSION: {
    retry: 'never',
    status: 500,
    title: 'invalid expression',
    operator:
      'A caller’s expression does not follow the grammar. 500 is what clients expect; CALCULATOR_SYNTAX_ERROR_STATUS=422 changes it. No fault of the program.',
    tells: ['message', 'position'],
  },
  TASK_LEASE_LOST: {
    retry: 'never',
    status: 409,
    title: 'the lease is no longer this worker’s',
    operator: 'A worker answered too late, or a task that is finished or cancelled. The answer changes nothing.',
  },
  RESULT_NOT_A_NUMBER: {
    retry: 'never',
    status: 422,
    title: 'the result is not a number',
    operator: 'A worker answered with something else than a finite number or an error text. The task stays leased.',
  },
} as const satisfies ErrorRegistry

/** A task as a worker gets it. */
export interface WorkerTask {
  readonly id: string
  readonly operation: '+' | '-' | '*' | '/'
  readonly arg1: number
  readonly arg2: number
  /** Both and the operation as text. */
  readonly arg: string
  /** What it costs beside the computation, in ms. */
  readonly operation_time: number
  /** To be shown with the answer. */
  readonly lease: string
  readonly lease_ms: number
}

/** An expression as its owner sees it. */
export interface ExpressionView {
  readonly id: number
  readonly user_id: number
  readonly raw: string
  readonly status: 'pending' | 'computing' | 'done' | 'failed'
  readonly result?: number
  readonly error?: string
  readonly created_at: string
  readonly updated_at: string
}

/** Topics between gateway, orchestrator and workers with `CALCULATOR_WORKERS=broker`. */
export const calculatorTopics = { tasks: 'calc.tasks', work: 'calc.work', results: 'calc.results' } as const
