import type { EncodedEvent } from './live-event.ts'

/**
 * What replicas tell each other: that a subject has a new event, with the event itself where it fits.
 */
export interface Hint {
  readonly subject: string
  readonly seq: number
  /** Undefined when the event was too long for the message: it is read from the table. */
  readonly content: Pick<EncodedEvent, 'event' | 'json'> | undefined
}

/** Four lines a hint; none of the four parts holds a line end. */
const linesPerHint = 4

/** Packs hints, in their order, into as few messages of at most `limitBytes` as they need. */
export function packHints(hints: readonly Hint[], limitBytes: number): string[] {
  const messages: string[] = []
  let open = ''
  let openBytes = 0
  for (const hint of hints) {
    const text = hintText(hint, limitBytes)
    const bytes = Buffer.byteLength(text) + 1
    if (open !== '' && openBytes + bytes <= limitBytes) {
      open += `\n${text}`
      openBytes += bytes
      continue
    }
    if (open !== '') messages.push(open)
    open = text
    openBytes = bytes
  }
  if (open !== '') messages.push(open)
  return messages
}

/** The hint as text, without its content where that does not fit. */
function hintText({ subject, seq, content }: Hint, limitBytes: number): string {
  if (content !== undefined) {
    const text = `${subject}\n${seq}\n${content.event}\n${content.json}`
    if (Buffer.byteLength(text) < limitBytes) return text
  }
  return `${subject}\n${seq}\n\n`
}

/** The hints of a message; what is malformed is left out. */
export function unpackHints(message: string): Hint[] {
  const lines = message.split('\n')
  const hints: Hint[] = []
  for (let at = 0; at + linesPerHint <= lines.length; at += linesPerHint) {
    const [subject = '', number = '', event = '', json = ''] = lines.slice(at, at + linesPerHint)
    const seq = Number(number)
    if (!Number.isSafeInteger(seq) || seq < 1) continue
    hints.push({ subject, seq, content: event === '' ? undefined : { event, json } })
  }
  return hints
}
