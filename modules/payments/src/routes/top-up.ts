import { databaseNowMs } from '@headrace/database'
import { invalidRequest } from '@headrace/http-kit'
import type { LogTransaction } from '@headrace/log'
import { balanceLimitMinor, readAmount, wireAmount } from '../domain/amounts.ts'
import { Till } from '../domain/till.ts'
import { topUpSchema } from '../http-shapes.ts'
import { settle } from '../settle.ts'
import { lockAccounts } from '../store/accounts.ts'
import { lockPayments } from '../store/payments.ts'
import { type ToppedUp, topUpView } from '../views.ts'
import { noAccount, pathOf, type RouteNeeds, userOfPath } from './needs.ts'

/** Adds `POST` of a top-up: what waits for the money is paid in the transaction that brings it. */
export function addTopUpRoute({ app, keyed, newId, faults }: RouteNeeds): void {
  const path = '/payments-api/accounts/:user_id/topup'
  app.post(path, { config: { access: 'person' }, schema: topUpSchema }, async (request) => {
    const userId = userOfPath(request, request.params.user_id)
    const amount = readAmount(request.body.amount)
    if (amount.kind === 'refused') throw invalidRequest(`amount ${amount.expected}, got ${request.body.amount}`)
    const key = { header: request.headers['idempotency-key'], caller: userId, method: 'POST', route: pathOf(request) }
    const { body } = await keyed.answer({ ...key, body: request.body }, async (tx) => {
      const account = await topUp(tx, { userId, amountMinor: amount.minor, newId })
      await faults.at('effect.before-commit')
      return { status: 200, body: topUpView(account) }
    })
    await faults.at('effect.after-commit')
    // Stored by ourselves, so it has the shape of an answer.
    return body as ReturnType<typeof topUpView>
  })
}

interface TopUp {
  readonly userId: string
  readonly amountMinor: number
  readonly newId: () => string
}

async function topUp(tx: LogTransaction, { userId, amountMinor, newId }: TopUp): Promise<ToppedUp> {
  const [[account], payments, nowMs] = await Promise.all([
    lockAccounts(tx, { userIds: [userId], orderIds: [] }),
    lockPayments(tx, { orderIds: [], waitingOf: [userId] }),
    databaseNowMs(tx),
  ])
  if (account === undefined) throw noAccount(userId)
  if (account.balanceMinor + amountMinor > balanceLimitMinor) {
    throw invalidRequest(`amount would bring the balance over ${wireAmount(balanceLimitMinor)}`)
  }
  const till = new Till({ purses: [account], payments, newId, nowMs })
  till.topUp(userId, amountMinor)
  settle(tx, till, { newId, nowMs, traceOf: () => undefined })
  return { id: account.id, userId, balanceMinor: till.balanceOf(userId) ?? 0, updatedAt: new Date(nowMs) }
}
