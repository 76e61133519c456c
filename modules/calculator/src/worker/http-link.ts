import { PlatformError } from '@headrace/runtime'
import { Pool } from 'undici'
import type { WorkerTask } from '../contract.ts'
import type { OrchestratorLink, TaskReport } from './link.ts'
import { instantTasks } from './local-link.ts'

export interface HttpLinkOptions {
  readonly url: string
  /** Shown with the tasks. */
  readonly worker: string
  readonly internalToken?: string
}

/** How long the orchestrator keeps a request that there is no task for, in s. */
const waitS = 30

/** Tasks that the orchestrator looks up in one request. */
const mostHeld = 512

/** The way to an orchestrator in another process. */
export function httpLink({ url, worker, internalToken }: HttpLinkOptions): OrchestratorLink {
  const { origin, pathname } = new URL(url)
  const path = `${pathname.replace(/\/$/, '')}/internal/task`
  const pool = new Pool(origin, { connections: 4, headersTimeout: (waitS + 10) * 1000, bodyTimeout: 10_000 })
  const authorization = internalToken === undefined ? {} : { authorization: `Bearer ${internalToken}` }
  const who = { instant: `${instantTasks}`, worker }

  async function post<T>(to: string, body: object): Promise<T> {
    const headers = { 'content-type': 'application/json', ...authorization }
    const answer = await pool.request({ path: to, method: 'POST', headers, body: JSON.stringify(body) })
    const text = await answer.body.text()
    if (answer.statusCode !== 200) throw refused(origin, answer.statusCode)
    // The orchestrator is a part of this module and of the same version, or says so by its status.
    return JSON.parse(text) as T
  }

  return {
    async take(most, signal) {
      const query = new URLSearchParams({ wait: `${waitS}`, max: `${most}`, ...who })
      const asked = { path: `${path}?${query}`, method: 'GET', headers: authorization, signal } as const
      const { statusCode, body } = await pool.request(asked)
      const text = await body.text()
      if (statusCode === 404) return []
      if (statusCode !== 200) throw refused(origin, statusCode)
      return (JSON.parse(text) as { readonly tasks: readonly WorkerTask[] }).tasks
    },
    async report(reports, most) {
      const query = most > 0 ? `?${new URLSearchParams({ claim: `${most}`, ...who })}` : ''
      const told = await post<{ readonly next?: readonly WorkerTask[] }>(`${path}${query}`, {
        tasks: reports.map(written),
      })
      return told.next ?? []
    },
    async lost(tasks) {
      const held = tasks.map(({ id, lease }) => ({ id, lease }))
      const lost = new Set<string>()
      for (let at = 0; at < held.length; at += mostHeld) {
        const asked = { tasks: held.slice(at, at + mostHeld) }
        const told = await post<{ readonly lost: readonly string[] }>(`${path}/held`, asked)
        for (const id of told.lost) lost.add(id)
      }
      return tasks.filter(({ id }) => lost.has(id))
    },
    close: () => pool.destroy(),
  }
}

function written(report: TaskReport): object {
  const { id, lease } = report.task
  if (report.kind === 'release') return { id, lease, released: true }
  const { outcome } = report
  return outcome.kind === 'value' ? { id, lease, result: outcome.value } : { id, lease, error: outcome.reason }
}

function refused(origin: string, status: number): PlatformError {
  return new PlatformError('UNAVAILABLE', `the orchestrator at ${origin} answered ${status}`)
}
