import { ExpressionError } from './expression-error.ts'
import { type Graph, GraphBuilder, negated, type Operand, type Operation } from './graph.ts'

/** What waits for its right side: an operation, or an open parenthesis with the sign before it. */
type Pending =
  | { readonly kind: 'operation'; readonly operation: Operation; readonly left: Operand }
  | { readonly kind: 'parenthesis'; readonly negated: boolean }

/**
 * Reads an expression: `sum := product {(+|-) product}`, `product := factor {(*|/) factor}`,
 * `factor := - factor | ( sum ) | number`, left-associative, IEEE-754 doubles. Throws `ExpressionError`.
 *
 * What is open is kept on a stack of its own, so that nesting is bounded by memory only; each character is looked at a
 * fixed number of times.
 */
export function parse(text: string): Graph {
  return new Parser(text).parse()
}

class Parser {
  readonly #text: string
  readonly #graph = new GraphBuilder()
  readonly #pending: Pending[] = []
  #depth = 0
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  parse(): Graph {
    for (;;) {
      const value = this.#closed(this.#operand())
      const operation = this.#operation()
      if (operation === undefined) return this.#graph.build(this.#reduced(value, 'sum'))
      const left = this.#reduced(value, isProduct(operation) ? 'product' : 'sum')
      this.#pending.push({ kind: 'operation', operation, left })
    }
  }

  /** Everything up to and including the next number. */
  #operand(): Operand {
    let isNegated = false
    for (;;) {
      const char = this.#next()
      if (char === undefined) throw this.#error('unexpected end of expression')
      if (isNumeral(char)) return signed(this.#number(), isNegated)
      if (char !== '-' && char !== '(') throw this.#error('expected number')
      this.#at += 1
      if (char === '-') {
        isNegated = !isNegated
        continue
      }
      this.#pending.push({ kind: 'parenthesis', negated: isNegated })
      this.#depth += 1
      isNegated = false
    }
  }

  #number(): Operand {
    const start = this.#at
    while (isNumeral(this.#text[this.#at])) this.#at += 1
    const value = Number(this.#text.slice(start, this.#at))
    if (Number.isFinite(value)) return { kind: 'number', value }
    throw new ExpressionError('invalid number', start)
  }

  /** The value after the parentheses that close behind it. */
  #closed(operand: Operand): Operand {
    let value = operand
    while (this.#depth > 0 && this.#next() === ')') {
      this.#at += 1
      value = this.#reduced(value, 'sum')
      const opened = this.#pending.pop()
      this.#depth -= 1
      value = signed(value, opened?.kind === 'parenthesis' && opened.negated)
    }
    return value
  }

  /** The operation that follows; undefined at the end of the text. */
  #operation(): Operation | undefined {
    const char = this.#next()
    if (char === '+' || char === '-' || char === '*' || char === '/') {
      this.#at += 1
      return char
    }
    if (this.#depth > 0) throw this.#error('missing closing parenthesis')
    if (char === undefined) return undefined
    throw this.#error(`unexpected characters at position ${this.#at}: ${this.#text.slice(this.#at)}`)
  }

  /** Applies what waits for this right side: products only, or everything back to the open parenthesis. */
  #reduced(right: Operand, upTo: 'product' | 'sum'): Operand {
    let value = right
    for (;;) {
      const last = this.#pending.at(-1)
      if (last?.kind !== 'operation' || (upTo === 'product' && !isProduct(last.operation))) return value
      this.#pending.pop()
      value = this.#graph.add(last.operation, last.left, value)
    }
  }

  /** The next character that is no white space. */
  #next(): string | undefined {
    while (isSpace(this.#text.charCodeAt(this.#at))) this.#at += 1
    return this.#text[this.#at]
  }

  #error(message: string): ExpressionError {
    return new ExpressionError(message, this.#at)
  }
}

function signed(value: Operand, isNegated: boolean): Operand {
  return isNegated ? negated(value) : value
}

function isProduct(operation: Operation): boolean {
  return operation === '*' || operation === '/'
}

function isNumeral(char: string | undefined): boolean {
  return char !== undefined && ((char >= '0' && char <= '9') || char === '.')
}

/** Tab to carriage return, blank, no-break space. */
function isSpace(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13) || code === 160
}
