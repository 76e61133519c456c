import { admission } from '@headrace/http-kit'
import type { Running } from '@headrace/runtime'
import type { CalculatorContext } from '../context.ts'
import { calculatorTopics } from '../contract.ts'
import type { Parts } from '../parts.ts'
import { addCalculateRoute } from './calculate.ts'
import { addExpressionRoutes } from './expressions.ts'
import { submitting } from './submitting.ts'
import { startTaskUpdates } from './task-updates.ts'
import { textInFlight } from './text-in-flight.ts'

/** Requests to calculate at a time; beyond it they are answered 503 before their bodies are read. */
const mostInFlight = 4096

/** Starts the role that users talk to. */
export async function startApi(context: CalculatorContext, parts: Parts): Promise<Running> {
  await using stack = new AsyncDisposableStack()
  const { settings, stations, surfaces, onError } = context
  const station = stations.calculator
  const live = stack.use(parts.startLive())
  stack.use(startTaskUpdates({ database: station.database, pubsub: station.pubsub, live, onError }))
  const viaBroker = settings.CALCULATOR_WORKERS === 'broker'
  if (viaBroker) await station.produces(calculatorTopics.tasks)
  const calculate = {
    submitting: submitting({ station, live, bell: parts.bell, viaBroker }),
    text: textInFlight(),
    limitBytes: settings.EXPRESSION_LIMIT_BYTES,
    syntaxErrorStatus: Number(settings.CALCULATOR_SYNTAX_ERROR_STATUS),
    admit: admission({ limit: mostInFlight }).onRequest,
  }
  for (const app of new Set([surfaces.public, surfaces.calculator])) {
    if (app === undefined) continue
    addCalculateRoute(app, calculate)
    addExpressionRoutes(app, { database: station.database, live })
  }
  const running = stack.move()
  const stop = () => running.disposeAsync()
  return { stop, [Symbol.asyncDispose]: stop }
}
