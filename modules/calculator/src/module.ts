import type { Module } from '@headrace/runtime'
import { startApi } from './api/api.ts'
import type { CalculatorContext } from './context.ts'
import { errors } from './contract.ts'
import { startOrchestrator } from './orchestrator/orchestrator.ts'
import { calculatorParts, type Parts } from './parts.ts'
import { startWorkerRole } from './worker/start.ts'

export type { CalculatorContext } from './context.ts'
export { calculatorMigrations } from './store/migrations.ts'

/** The calculator. The orchestrator starts before its worker, so that a worker of the same process finds it. */
export function calculatorModule(): Module<CalculatorContext> {
  const perProcess = new WeakMap<CalculatorContext, Parts>()
  const parts = (context: CalculatorContext) => {
    const known = perProcess.get(context) ?? calculatorParts(context)
    perProcess.set(context, known)
    return known
  }
  return {
    name: 'calculator',
    errors,
    roles: [
      { name: 'orchestrator', start: (context) => startOrchestrator(context, parts(context)) },
      { name: 'worker', start: (context) => startWorkerRole(context, perProcess.get(context)) },
      { name: 'api', start: (context) => startApi(context, parts(context)) },
    ],
  }
}
