/** An expression that does not follow the grammar. The message is what its author is told. */
export class ExpressionError extends Error {
  /** Where it was noticed, counted from 0 in the text as submitted. */
  readonly position: number

  constructor(message: string, position: number) {
    super(message)
    this.name = 'ExpressionError'
    this.position = position
  }
}
