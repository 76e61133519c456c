import { type App, invalidRequest } from '@headrace/http-kit'
import { PlatformError } from '@headrace/runtime'
import { Type } from 'typebox'
import type { MessageView } from '../contract.ts'

const messageView = Type.Object({
  messageId: Type.String(),
  status: Type.Union(
    [Type.Literal('accepted'), Type.Literal('processed'), Type.Literal('failed'), Type.Literal('parked')],
    { description: '`failed` waits for a retry, `parked` for somebody who redrives or drops it.' },
  ),
  attempts: Type.Integer(),
  result: Type.Optional(Type.String({ description: 'As text, or as base64 when `encoding` says so.' })),
  encoding: Type.Optional(Type.Literal('base64')),
  error: Type.Optional(Type.String()),
  accepted_at: Type.String({ format: 'date-time' }),
  processed_at: Type.Optional(Type.String({ format: 'date-time' })),
})

/** Adds `GET <path>/:messageId`. */
export function addMessageRoute(
  app: App,
  path: string,
  view: (messageId: string) => Promise<MessageView | undefined>,
): void {
  app.get(
    `${path}/:messageId`,
    {
      config: { access: 'person' },
      schema: {
        tags: ['pipeline'],
        summary: 'What became of a message',
        params: Type.Object({ messageId: Type.String() }),
        response: { 200: messageView },
      },
    },
    async (request) => {
      const { messageId } = request.params
      if (messageId === '') throw invalidRequest('the message id is empty')
      const found = await view(messageId)
      if (found === undefined) throw new PlatformError('NOT_FOUND', 'there is no such message')
      return found
    },
  )
}
