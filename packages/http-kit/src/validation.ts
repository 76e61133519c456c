import type { PlatformError } from '@headrace/runtime'
import type { FastifySchemaCompiler } from 'fastify'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { invalidRequest } from './problem.ts'
import { queryCoercion } from './query-coercion.ts'
import { shownValue } from './shown-value.ts'

/**
 * Compiles a route's schemas. Bodies are never coerced: "5" is no number. In queries and paths, where everything is
 * text, whole texts that spell a number or boolean become one. Unknown fields are ignored. What does not fit is
 * `INVALID_REQUEST` that names the field and its value.
 */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const validator = Compile(schema)
  const part = httpPart ?? 'body'
  if (part === 'body') {
    return (value: unknown) => validator.Check(value) || { error: mismatch(part, value, validator.Errors(value)) }
  }
  const coerce = queryCoercion(schema)
  return (raw: unknown) => {
    const value = coerce(raw)
    return validator.Check(value) ? { value } : { error: mismatch(part, value, validator.Errors(value)) }
  }
}

interface SchemaMismatch {
  readonly keyword: string
  readonly instancePath: string
  readonly message: string
  readonly params: object
}

function mismatch(part: string, value: unknown, errors: readonly SchemaMismatch[]): PlatformError {
  const first = meantError(errors)
  if (first === undefined) return invalidRequest(`${partName(part)} is not as described`)
  const missing = missingField(first)
  const path = missing === undefined ? first.instancePath : `${first.instancePath}/${missing}`
  const field = fieldName(part, path)
  if (missing !== undefined) return invalidRequest(`${field} is missing`)
  const alternatives = errors.filter((error) => error.instancePath === first.instancePath).flatMap(alternative)
  const expected =
    alternatives.length > 1 ? `must be one of ${[...new Set(alternatives)].join(', ')}` : requirement(first)
  return invalidRequest(`${field} ${expected}, got ${shownField(path, valueAt(value, path))}`)
}

/** The first error; of a union one of the branch that takes the value's type, if there is one: that was meant. */
function meantError(errors: readonly SchemaMismatch[]): SchemaMismatch | undefined {
  const unions = new Set(errors.filter(({ keyword }) => keyword === 'anyOf').map(({ instancePath }) => instancePath))
  const isOtherBranch = ({ keyword, instancePath }: SchemaMismatch) =>
    unions.has(instancePath) && ['type', 'const', 'anyOf'].includes(keyword)
  return errors.find((error) => !isOtherBranch(error)) ?? errors[0]
}

function missingField({ keyword, params }: SchemaMismatch): string | undefined {
  if (keyword !== 'required' || !('requiredProperties' in params)) return undefined
  return Array.isArray(params.requiredProperties) ? String(params.requiredProperties[0]) : undefined
}

function requirement({ keyword, params, message }: SchemaMismatch): string {
  if (keyword === 'const' && 'allowedValue' in params) return `must be ${shownValue(params.allowedValue)}`
  const values = keyword === 'enum' && 'allowedValues' in params ? params.allowedValues : undefined
  return Array.isArray(values) ? `must be one of ${values.map(shownValue).join(', ')}` : message
}

/** What one branch of a union would have taken. */
function alternative({ keyword, params }: SchemaMismatch): string[] {
  if (keyword === 'const' && 'allowedValue' in params) return [shownValue(params.allowedValue)]
  return keyword === 'type' && 'type' in params ? [String(params.type)] : []
}

function partName(part: string): string {
  const names: Readonly<Record<string, string>> = {
    querystring: 'the query',
    params: 'the path',
    headers: 'the headers',
  }
  return names[part] ?? 'the body'
}

/** `/items/1/price` of the body is `items[1].price`; other parts are named. */
function fieldName(part: string, path: string): string {
  if (path === '') return partName(part)
  const name = segments(path)
    .map((segment) => (/^\d+$/.test(segment) ? `[${segment}]` : `.${segment}`))
    .join('')
    .replace(/^\./, '')
    .slice(0, 200)
  return part === 'body' ? name : `${partName(part).replace('the ', '')} parameter ${name}`
}

function valueAt(value: unknown, path: string): unknown {
  return segments(path).reduce<unknown>((at, segment) => {
    return typeof at === 'object' && at !== null && Object.hasOwn(at, segment) ? Reflect.get(at, segment) : undefined
  }, value)
}

function segments(path: string): string[] {
  return path
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'))
}

// A password that is too short is not repeated to whoever looks over the shoulder.
function shownField(path: string, value: unknown): string {
  return /password|secret|token/i.test(path) ? 'another value' : shownValue(value)
}
