import { tokenOf } from './product.ts'

export interface Expression {
  readonly id: number
  readonly status: string
  readonly result?: number
  readonly error?: string
  readonly created_at: string
  readonly updated_at: string
}

async function ask<T>(url: string, user: number, body?: unknown): Promise<T> {
  const answer = await fetch(url, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${tokenOf(user)}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`)
  return (await answer.json()) as T
}

export async function submit(url: string, expression: string, user = 1): Promise<number> {
  return (await ask<{ id: number }>(`${url}/api/v1/calculate`, user, { expression })).id
}

/** Polls gently: what is measured is taken from the expression's own times, or from the stream. */
export async function ended(url: string, id: number, user = 1, pauseMs = 100): Promise<Expression> {
  for (;;) {
    const { expression } = await ask<{ expression: Expression }>(`${url}/api/v1/expressions/${id}`, user)
    if (expression.status === 'done' || expression.status === 'failed') return expression
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}

/** From acceptance to the end, in ms, by the database's clock. */
export function tookMs({ created_at, updated_at }: Expression): number {
  return Date.parse(updated_at) - Date.parse(created_at)
}

export interface Watcher extends AsyncDisposable {
  /** Resolves when the stream has told the end of an expression. */
  end(id: number): Promise<void>
}

/** Listens to a user's stream. */
export async function watch(url: string, user: number): Promise<Watcher> {
  const closing = new AbortController()
  const response = await fetch(`${url}/api/v1/expressions/stream`, {
    headers: { authorization: `Bearer ${tokenOf(user)}` },
    signal: closing.signal,
  })
  const seen = new Set<number>()
  const waiting = new Map<number, () => void>()
  const reading = read(response, (id) => {
    seen.add(id)
    waiting.get(id)?.()
  }).catch(() => {})
  return {
    end: (id) => (seen.has(id) ? Promise.resolve() : new Promise((resolve) => waiting.set(id, resolve))),
    async [Symbol.asyncDispose]() {
      closing.abort()
      await reading
    },
  }
}

async function read(response: Response, onEnd: (id: number) => void): Promise<void> {
  let text = ''
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const frames = (text + chunk).split('\n\n')
    text = frames.pop() ?? ''
    for (const frame of frames) {
      const data = /^data: ?(.*)$/m.exec(frame)?.[1]
      if (!frame.includes('expression-update') || data === undefined) continue
      const expression = JSON.parse(data) as Expression
      if (expression.status === 'done' || expression.status === 'failed') onEnd(expression.id)
    }
  }
}
