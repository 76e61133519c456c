/** The protobuf encoding of a `diplom.v1.DataMessage`, written by hand as a client in another language would send it. */
export function dataMessage(fields: {
  readonly id?: string
  readonly source?: string
  readonly payload?: Uint8Array
}): Uint8Array {
  return Buffer.concat([
    delimited(1, Buffer.from(fields.id ?? '')),
    delimited(3, Buffer.from(fields.source ?? '')),
    delimited(4, fields.payload ?? new Uint8Array(0)),
  ])
}

/** A field of wire type 2 (protobuf.dev, Encoding). */
export function delimited(field: number, bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === 0 ? bytes : Buffer.concat([Buffer.of((field << 3) | 2), varint(bytes.byteLength), bytes])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest])
    bytes.push((rest % 128) | 128)
  }
}
