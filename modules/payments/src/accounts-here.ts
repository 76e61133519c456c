import { isInfrastructureError, type Queryable } from '@headrace/database'
import { type OnBackgroundError, PlatformError, withDeadline } from '@headrace/runtime'
import { type Accounts, answerMs } from './accounts-client.ts'
import { findAccount } from './store/accounts.ts'
import { unreachableReports } from './unreachable.ts'

/** Accounts in the database of this process, which may be another than that of those who ask. */
export function accountsHere(database: Queryable, onError: OnBackgroundError): Accounts {
  const report = unreachableReports(onError)
  const late = () => new PlatformError('DATABASE_UNAVAILABLE', `no answer within ${answerMs} ms`)
  return {
    async hasAccount(userId) {
      try {
        return (await withDeadline(findAccount(database, userId), answerMs, late)) !== undefined
      } catch (error) {
        if (!isInfrastructureError(error)) throw error
        report('in this process', error)
        return undefined
      }
    },
  }
}
