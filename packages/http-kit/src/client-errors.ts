import { randomUUID } from 'node:crypto'
import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { PlatformError } from '@headrace/runtime'
import { invalidRequest, problemContentType, problemOf } from './problem.ts'

/** Answers what never became a request (malformed, too slow, too large in its headers) and closes the connection. */
export function answerClientError(error: Error & { readonly code?: string }, socket: Socket): void {
  if (!socket.writable || hasBegunAnswer(socket)) return void socket.destroy()
  const problem = problemOf(clientProblem(error.code), randomUUID())
  const body = JSON.stringify(problem)
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}`,
    `content-type: ${problemContentType}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
  // A client that goes on sending is not listened to any longer.
  socket.destroySoon()
}

function clientProblem(code: string | undefined): PlatformError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new PlatformError('REQUEST_TIMEOUT', 'the request did not arrive in time')
  if (code === 'HPE_HEADER_OVERFLOW')
    return new PlatformError('HEADERS_TOO_LARGE', 'the headers are larger than 16 KiB')
  return invalidRequest('the request is not valid HTTP/1.1')
}

// Bytes of a second answer amid the first would be read as a part of it.
function hasBegunAnswer(socket: Socket): boolean {
  return answerOn(socket)?.headersSent === true
}

/** The answer that a connection is busy with; `_httpMessage` is what Node's own server keeps there. */
export function answerOn(socket: Socket): ServerResponse | undefined {
  return (socket as Socket & { readonly _httpMessage?: ServerResponse | null })._httpMessage ?? undefined
}
