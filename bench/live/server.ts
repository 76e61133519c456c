/** What the bench asks of a server under measurement, and what it is told. */
export type Ask =
  | { readonly kind: 'publish'; readonly subject: string; readonly events: number }
  | { readonly kind: 'usage' }

export type Told =
  | { readonly kind: 'port'; readonly port: number }
  | { readonly kind: 'published' }
  | { readonly kind: 'usage'; readonly residentBytes: number; readonly cpuMs: number }

/** An event's data, about as long as an order. */
export const data = {
  id: '019a9d2c-5b1f-7c3e-9a51-0d1c2b3a4f5e',
  userID: '019a9d2c-0000-7000-8000-000000000001',
  amount: 199.99,
  currency: 'USD',
  status: 'paid',
  paymentID: '019a9d2c-5b20-7aaa-8bbb-0d1c2b3a4f5e',
  errorReason: '',
  createdAt: '2026-01-01T00:00:00.000Z',
  updatedAt: '2026-01-01T00:00:00.000Z',
}

/** Serves the bench's questions; `publish` is the server's own. */
export function serve(port: number, publish: (subject: string, events: number) => Promise<void> | void): void {
  const tell = (told: Told) => process.send?.(told)
  process.on('message', async (ask: Ask) => {
    if (ask.kind === 'usage') return tell(usage())
    await publish(ask.subject, ask.events)
    tell({ kind: 'published' })
  })
  process.on('disconnect', () => process.exit())
  tell({ kind: 'port', port })
}

function usage(): Told {
  // Twice: what finalisers release is gone with the second.
  globalThis.gc?.()
  globalThis.gc?.()
  const { user, system } = process.cpuUsage()
  return { kind: 'usage', residentBytes: process.memoryUsage.rss(), cpuMs: (user + system) / 1000 }
}
