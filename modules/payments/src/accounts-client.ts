import type { OnBackgroundError } from '@headrace/runtime'
import { Agent, request } from 'undici'
import { unreachableReports } from './unreachable.ts'

/** The one thing that others ask of payments. */
export interface Accounts {
  /**
   * Tells whether the user has an account; undefined when that cannot be known now. `authorization` is the header of
   * the request that asks, by which another process knows on whose behalf.
   */
  hasAccount(userId: string, authorization?: string): Promise<boolean | undefined>
}

/** Accounts in other processes. */
export interface RemoteAccounts extends Accounts {
  close(): Promise<void>
}

/** Longest time for an answer in ms: an order waits for it. */
export const answerMs = 2_000

/** Asks payments in other processes, by their public addresses; the next one where one cannot be reached. */
export function remoteAccounts(urls: readonly string[], onError: OnBackgroundError): RemoteAccounts {
  const report = unreachableReports(onError)
  const dispatcher = new Agent({ connect: { timeout: answerMs }, headersTimeout: answerMs, bodyTimeout: answerMs })
  const headers = (authorization: string | undefined) => (authorization === undefined ? {} : { authorization })

  async function ask(url: string, userId: string, authorization: string | undefined): Promise<boolean | undefined> {
    const path = `${url.replace(/\/$/, '')}/payments-api/accounts/${encodeURIComponent(userId)}`
    const { statusCode, body } = await request(path, { dispatcher, headers: headers(authorization) })
    await body.dump()
    if (statusCode === 200) return true
    if (statusCode === 404) return false
    throw new Error(`${url} answered ${statusCode}`)
  }

  return {
    async hasAccount(userId, authorization) {
      for (const url of urls) {
        try {
          return await ask(url, userId, authorization)
        } catch (error) {
          report(`at ${url}`, error)
        }
      }
      return undefined
    },
    close: () => dispatcher.close(),
  }
}
