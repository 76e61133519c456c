import { placeName, saysRefusal, takenPlaces } from './failures.ts'
import type { EncodedMessage } from './records.ts'

/** Most bytes of one request, which the broker reads as a whole. */
const maxBytes = 4 * 1024 * 1024

interface Part {
  readonly place: string
  readonly messages: readonly EncodedMessage[]
  readonly bytes: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * Sends what several partitions publish in the same turn as one request: a request costs broker and client more than
 * the few messages that each partition has. Where the broker refuses something of it, each partition that was not written
 * has a request of its own, so that none holds up another.
 */
export class SharedRequests {
  readonly #send: (messages: EncodedMessage[]) => Promise<unknown>
  #waiting: Part[] = []

  constructor(send: (messages: EncodedMessage[]) => Promise<unknown>) {
    this.#send = send
  }

  /** Resolves when the broker has confirmed these messages of one partition; rejects with what the client throws. */
  send(messages: readonly EncodedMessage[]): Promise<void> {
    const [first] = messages
    const place = placeName(first?.topic ?? '', first?.partition ?? 0)
    const bytes = messages.reduce((sum, { value }) => sum + value.length, 0)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ place, messages, bytes, resolve, reject })
      if (this.#waiting.length === 1) setImmediate(() => this.#leave())
    })
  }

  #leave(): void {
    const parts = this.#waiting
    this.#waiting = []
    for (const request of requestsOf(parts)) void this.#request(request)
  }

  async #request(parts: readonly Part[]): Promise<void> {
    try {
      await this.#send(parts.flatMap(({ messages }) => messages))
      for (const { resolve } of parts) resolve()
    } catch (error) {
      if (parts.length > 1 && saysRefusal(error)) this.#requestEach(parts, new Set(takenPlaces(error)))
      else for (const { reject } of parts) reject(error)
    }
  }

  #requestEach(parts: readonly Part[], taken: ReadonlySet<string>): void {
    for (const part of parts) {
      if (taken.has(part.place)) part.resolve()
      else void this.#request([part])
    }
  }
}

/** A partition stands in a request once: what it brings beside that has a request of its own. */
function requestsOf(parts: readonly Part[]): Part[][] {
  const requests: { readonly parts: Part[]; readonly places: Set<string>; bytes: number }[] = []
  for (const part of parts) {
    const fits = requests.find(({ places, bytes }) => !places.has(part.place) && bytes + part.bytes <= maxBytes)
    const request = fits ?? { parts: [], places: new Set(), bytes: 0 }
    if (fits === undefined) requests.push(request)
    request.parts.push(part)
    request.places.add(part.place)
    request.bytes += part.bytes
  }
  return requests.map((request) => request.parts)
}
