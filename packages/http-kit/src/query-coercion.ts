type Coercion = (text: string) => unknown

const coercions: Readonly<Record<string, Coercion>> = {
  integer: (text) => (/^-?\d{1,15}$/.test(text) ? Number(text) : text),
  number: (text) => (/^-?\d{1,15}(\.\d{1,15})?$/.test(text) ? Number(text) : text),
  boolean: (text) => (text === 'true' ? true : text === 'false' ? false : text),
  array: (text) => [text],
}

/**
 * Turns texts into what an object schema's properties ask for, where the whole text spells it: `5`, never `5x`, an
 * empty text or `1.5` for an integer. All else is left to be refused.
 */
export function queryCoercion(schema: object): (value: unknown) => unknown {
  const properties = 'properties' in schema && typeof schema.properties === 'object' ? (schema.properties ?? {}) : {}
  const wanted = Object.entries(properties).flatMap(([name, property]): [string, Coercion][] => {
    const coercion = coercions[typeOf(property)]
    return coercion === undefined ? [] : [[name, coercion]]
  })
  return (value) => {
    if (wanted.length === 0 || typeof value !== 'object' || value === null) return value
    const coerced: Record<string, unknown> = { ...value }
    for (const [name, coercion] of wanted) {
      const text = coerced[name]
      if (typeof text === 'string') coerced[name] = coercion(text)
    }
    return coerced
  }
}

function typeOf(property: unknown): string {
  const isTyped = typeof property === 'object' && property !== null && 'type' in property
  return isTyped && typeof property.type === 'string' ? property.type : ''
}
