import {
  createMetrics,
  nullLogger,
  type RunningModules,
  readSettings,
  selectModules,
  startModules,
} from '@headrace/runtime'
import { calculatorSettings } from '../../src/contract.ts'
import { type CalculatorContext, calculatorModule } from '../../src/module.ts'
import type { CalculatorOptions } from './calculator.ts'

/** A worker that pulls over HTTP, with nothing but its settings: no database, no port. */
export function startWorkerRoleAlone({ env, onError }: CalculatorOptions): Promise<RunningModules> {
  const context = {
    settings: readSettings(calculatorSettings, { ...env }),
    stations: {},
    surfaces: {},
    probes: {},
    metrics: createMetrics(),
    logger: nullLogger,
    onError: onError ?? (() => {}),
  }
  // What is missing is not there for such a worker.
  return startModules(selectModules([calculatorModule()], 'calculator:worker'), context as unknown as CalculatorContext)
}
