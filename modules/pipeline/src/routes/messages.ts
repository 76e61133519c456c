import { type App, invalidRequest, maySee } from '@headrace/http-kit'
import { PlatformError } from '@headrace/runtime'
import { messageSchema } from '../http-shapes.ts'
import type { OwnedMessage } from '../message-view.ts'

/** Adds `GET <path>/:messageId`. */
export function addMessageRoute(
  app: App,
  path: string,
  view: (messageId: string) => Promise<OwnedMessage | undefined>,
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
      if (found === undefined || !maySee(request, found.owner)) {
        throw new PlatformError('NOT_FOUND', 'there is no such message')
      }
      return found.view
    },
  )
}
