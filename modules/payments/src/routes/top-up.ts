import { databaseNowMs } from '@headrace/database'
import { invalidRequest } from '@headrace/http-kit'
import type { LogTransaction } from '@headrace/log'
import { balanceLimitMinor, readAmount, wireAmount } from '../domain/amounts.ts'
import { Till } from '../domain/till.ts'
import { topUpSchema } from '../http-shapes.ts'
import { settle } from '../settle.ts'
import { type AccountRow, lockAccounts } from '../store/accounts.ts'
import { lockPayments } from '../store/payments.ts'
import { topUpView } from '../views.ts'
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

async function topUp(tx: LogTransaction, { userId, amountMinor, newId }: TopUp): Promise<AccountRow> {
  const [purses, payments, nowMs] = await Promise.all([
    lockAccounts(tx, { userIds: [userId], orderIds: [] }),
    lockPayments(tx, { orderIds: [], waitingOf: [userId] }),
    databaseNowMs(tx),
  ])
  const [purse] = purses
  if (purse === undefined) throw noAccount(userId)
  if (purse.balanceMinor + amountMinor > balanceLimitMinor) {
    throw invalidRequest(`amount would bring the balance over ${wireAmount(balanceLimitMinor)}`)
  }
  const till = new Till({ purses, payments, newId, nowMs })
  till.topUp(userId, amountMinor)
  const [account] = await settle(tx, till, { newId, nowMs, traceOf: () => undefined })
  if (account === undefined) throw noAccount(userId)
  return account
}
