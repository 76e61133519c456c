import { PlatformError } from '@headrace/runtime'

/** The message can never succeed: it is set aside at once and its key goes on. */
export class PoisonMessageError extends PlatformError {
  constructor(message: string, cause?: unknown) {
    super('POISON_MESSAGE', message, { cause })
    this.name = 'PoisonMessageError'
  }
}

/**
 * Names the message of a batch that is at fault, so that the others need not be tried one by one. The cause is what is
 * recorded and decides what becomes of the message.
 */
export class MessageError extends Error {
  readonly messageId: string

  constructor(messageId: string, cause: unknown) {
    super(`message ${messageId} failed`, { cause })
    this.name = 'MessageError'
    this.messageId = messageId
  }
}
