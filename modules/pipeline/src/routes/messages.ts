import { type App, invalidRequest } from '@headrace/http-kit'
import { PlatformError } from '@headrace/runtime'
import type { MessageView } from '../contract.ts'
import { messageSchema } from '../http-shapes.ts'

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
      schema: messageSchema,
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
