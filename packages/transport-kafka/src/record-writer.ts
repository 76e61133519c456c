const firstBytes = 16 * 1024
/** Longer texts, and those with other signs than ASCII, are written by the runtime. */
const shortText = 128
const ascii = 0x7f

/** Writes what records consist of, one behind the other in one growing buffer. (Kafka, message format v2.) */
export class RecordWriter {
  #bytes = Buffer.allocUnsafe(firstBytes)
  #at = 0

  /** Bytes written so far. */
  get length(): number {
    return this.#at
  }

  /** What was written; the writer is not used any more. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.#at)
  }

  /** A whole number of 32 bits with sign, zigzag, seven bits a byte. */
  varint(value: number): void {
    this.#ensure(5)
    let left = ((value << 1) ^ (value >> 31)) >>> 0
    for (; left > 0x7f; left >>>= 7) this.#bytes[this.#at++] = (left & 0x7f) | 0x80
    this.#bytes[this.#at++] = left
  }

  /** Bytes behind their number. */
  bytes(part: Uint8Array): void {
    this.varint(part.byteLength)
    this.append(part)
  }

  append(part: Uint8Array): void {
    this.#ensure(part.byteLength)
    this.#bytes.set(part, this.#at)
    this.#at += part.byteLength
  }

  /** A text as UTF-8, behind the number of its bytes. */
  text(value: string): void {
    if (value.length <= shortText && this.#ascii(value)) return
    const bytes = Buffer.byteLength(value)
    this.varint(bytes)
    this.#ensure(bytes)
    this.#at += this.#bytes.write(value, this.#at)
  }

  /** The same for short texts, without a call of the runtime; false, and nothing, where another sign is met. */
  #ascii(value: string): boolean {
    const { length } = value
    const start = this.#at
    this.varint(length)
    this.#ensure(length)
    for (let index = 0; index < length; index += 1) {
      const sign = value.charCodeAt(index)
      if (sign > ascii) {
        this.#at = start
        return false
      }
      this.#bytes[this.#at++] = sign
    }
    return true
  }

  #ensure(more: number): void {
    if (this.#at + more <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(2 * Math.max(this.#bytes.length, more))
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
  }
}
