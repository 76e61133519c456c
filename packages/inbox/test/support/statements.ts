import type { Database, Queryable, Rows, Statement, Transaction } from '@headrace/database'

/** What a test does with the statements that pass; each is optional. */
export interface Interception {
  /** Replaces a statement, for mutants. */
  readonly rewrite?: (statement: Statement) => Statement
  /** Statements of a transaction that are sent and committed beside it, for mutants. */
  readonly beside?: (statement: Statement) => boolean
  /** Called before a statement is sent; throwing fails it unsent. */
  readonly before?: (statement: Statement) => Promise<void> | void
  /** Called with the answer of a statement outside a transaction; throwing loses the answer of what was done. */
  readonly answered?: (statement: Statement) => Promise<void> | void
}

/** A database whose statements pass through a test's hands. */
export function interceptedDatabase(database: Database, interception: Interception): Database {
  return {
    url: database.url,
    query: async <R extends object>(statement: Statement) => {
      const rows = await send<R>(database, statement, interception)
      await interception.answered?.(statement)
      return rows
    },
    inTransaction: (work, options) =>
      database.inTransaction((tx) => work(interceptedTransaction(database, tx, interception)), options),
    usage: () => database.usage(),
    stop: () => database.stop(),
    [Symbol.asyncDispose]: () => database.stop(),
  }
}

function interceptedTransaction(database: Database, tx: Transaction, interception: Interception): Transaction {
  return {
    query: <R extends object>(statement: Statement) =>
      send<R>(interception.beside?.(statement) ? database : tx, statement, interception),
    collect: (collector, item) => tx.collect(collector, item),
    afterCommit: (action) => tx.afterCommit(action),
  }
}

/** Sends at once unless the test wants to wait, so that pipelined statements keep their order. */
function send<R extends object>(to: Queryable, statement: Statement, interception: Interception): Promise<Rows<R>> {
  const changed = interception.rewrite?.(statement) ?? statement
  const waiting = interception.before?.(statement)
  return waiting === undefined ? to.query<R>(changed) : waiting.then(() => to.query<R>(changed))
}

/** Replaces one clause of the statement with this name; fails when the clause is not there (any more). */
export function replaced(name: string, from: string, to: string): Interception {
  return {
    rewrite(statement) {
      if (statement.name !== name) return statement
      if (!statement.text.includes(from)) throw new Error(`statement '${name}' does not hold: ${from}`)
      return { ...statement, name: `${name}.mutant`, text: statement.text.replace(from, to) }
    },
  }
}
