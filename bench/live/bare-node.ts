// Server-sent events with nothing but Node: no store, no resuming, no limits. The floor to measure beside.
import { createServer, type ServerResponse } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { data, serve } from './server.ts'

const clients = new Map<string, Set<ServerResponse>>()
const server = createServer((request, answer) => {
  const subject = request.url?.split('/').at(-1) ?? ''
  answer.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
  answer.write('retry: 1000\nid: 0\nevent: connected\ndata: {"position":0}\n\n')
  const all = clients.get(subject) ?? new Set()
  clients.set(subject, all.add(answer))
  answer.once('close', () => all.delete(answer))
})
let id = 0
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  serve(typeof address === 'object' && address !== null ? address.port : 0, async (subject, events) => {
    for (let n = 0; n < events; n += 1) {
      id += 1
      const frame = Buffer.from(`id: ${id}\nevent: order-update\ndata: ${JSON.stringify(data)}\n\n`)
      for (const client of clients.get(subject) ?? []) client.write(frame)
      // Each event by itself, as events come.
      await nextTurn()
    }
  })
})
