import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createLogger, type LoggerOptions, nullLogger } from '../src/index.ts'

function logged(options: LoggerOptions = {}) {
  const lines: string[] = []
  const logger = createLogger({ format: 'json', ...options, destination: { write: (line) => lines.push(line) } })
  return { logger, lines }
}

describe('createLogger', () => {
  it('writes one line of JSON per call, with the fields of its parents', () => {
    const { logger, lines } = logged()
    logger.child({ module: 'pipeline' }).info('started', { port: 8081 })
    const entry = JSON.parse(lines[0] ?? '')
    assert.match(entry.time, /^\d{4}-\d\d-\d\dT.*Z$/)
    delete entry.time
    assert.deepEqual(entry, { level: 'info', module: 'pipeline', port: 8081, msg: 'started' })
    assert.equal(lines.length, 1)
  })

  it('leaves out what is below its level', () => {
    const { logger, lines } = logged({ level: 'warn' })
    logger.info('quiet')
    logger.warn('loud')
    assert.equal(lines.length, 1)
  })

  it('hides secrets by name, in URLs and by value, also inside errors', () => {
    const { logger, lines } = logged({ secrets: ['s3cr3t"value'] })
    const error = new Error('cannot reach postgres://me:hunter2@db/x', { cause: new Error('with s3cr3t"value') })
    logger.error('failed', { error, password: 'hunter2', request: { headers: { authorization: 'hunter2' } } })
    assert.ok(!lines.join().includes('hunter2'), lines.join())
    assert.ok(!lines.join().includes('s3cr3t'), lines.join())
    assert.match(lines.join(), /postgres:\/\/me:\*\*\*@db/)
  })

  it('writes out the cause of an error', () => {
    const { logger, lines } = logged()
    logger.error('failed', { error: new Error('outer', { cause: new Error('the root') }) })
    assert.match(lines.join(), /the root/)
  })

  it('the text format is one readable line', () => {
    const { logger, lines } = logged({ format: 'text' })
    logger.info('listening', { port: 8080, note: 'two words' })
    assert.match(lines[0] ?? '', /^\d\d:\d\d:\d\d\.\d{3} INFO {2}listening port=8080 note="two words"\n$/)
  })

  it('the null logger writes nothing and has children', () => {
    nullLogger.child({ a: 1 }).fatal('nothing')
  })
})
