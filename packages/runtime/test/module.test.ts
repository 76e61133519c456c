import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hasCode, type Module, type Running, selectModules, startModules } from '../src/index.ts'

interface Journal {
  readonly entries: string[]
}

function role(name: string, stop: () => Promise<void> = async () => {}) {
  return {
    name,
    async start(context: Journal): Promise<Running> {
      context.entries.push(`start ${name}`)
      const stopOnce = async () => {
        context.entries.push(`stop ${name}`)
        await stop()
      }
      return { stop: stopOnce, [Symbol.asyncDispose]: stopOnce }
    },
  }
}

function failing(name: string) {
  return { name, start: async (): Promise<Running> => Promise.reject(new Error('no luck')) }
}

function modules(...roles: Module<Journal>['roles']): Module<Journal>[] {
  return [{ name: 'm', roles }]
}

describe('startModules', () => {
  it('starts in order and stops in reverse, once', async () => {
    const journal: Journal = { entries: [] }
    const running = await startModules(modules(role('a'), role('b')), journal)
    assert.deepEqual(running.roles, ['m:a', 'm:b'])
    await running.stop()
    await running.stop()
    assert.deepEqual(journal.entries, ['start a', 'start b', 'stop b', 'stop a'])
  })

  it('when one does not start, those before it are stopped and the error names it with its cause', async () => {
    const journal: Journal = { entries: [] }
    const broken = role('b', () => Promise.reject(new Error('stop failed too')))
    await assert.rejects(
      startModules(modules(role('a'), broken, failing('c'), role('d')), journal),
      (error: unknown) => {
        assert.ok(hasCode(error, 'MODULE_START_FAILED'))
        assert.equal(error.message, "'m:c' did not start: no luck")
        assert.ok(error.cause instanceof Error && error.cause.message === 'no luck')
        return true
      },
    )
    assert.deepEqual(journal.entries, ['start a', 'start b', 'stop b', 'stop a'])
  })

  it('one that hangs is named after the deadline, and the others are stopped all the same', async () => {
    const journal: Journal = { entries: [] }
    const running = await startModules(
      modules(
        role('a'),
        role('b', () => new Promise(() => {})),
      ),
      journal,
    )
    await assert.rejects(running.stop({ deadlineMs: 10 }), (error: unknown) => {
      assert.ok(hasCode(error, 'STOP_TIMEOUT'))
      assert.equal(error.message, 'not stopped after 10 ms: m:b')
      return true
    })
    assert.deepEqual(journal.entries, ['start a', 'start b', 'stop b', 'stop a'])
  })

  it('one that fails to stop is told after the others were stopped', async () => {
    const journal: Journal = { entries: [] }
    const running = await startModules(
      modules(
        role('a'),
        role('b', () => Promise.reject(new Error('stuck'))),
      ),
      journal,
    )
    await assert.rejects(running.stop(), /stuck/)
    assert.equal(journal.entries.at(-1), 'stop a')
  })
})

describe('selectModules', () => {
  const all: Module<Journal>[] = [
    { name: 'pipeline', roles: [role('ingest'), role('processor')] },
    { name: 'gateway', roles: [role('gateway')] },
  ]
  const names = (only?: string) => selectModules(all, only).flatMap((m) => m.roles.map((r) => `${m.name}:${r.name}`))

  it('gives everything when nothing is asked for', () => {
    assert.deepEqual(names(), ['pipeline:ingest', 'pipeline:processor', 'gateway:gateway'])
  })

  it('gives modules and single roles, in the catalogue’s order', () => {
    assert.deepEqual(names('gateway, pipeline:processor'), ['pipeline:processor', 'gateway:gateway'])
  })

  it('refuses an unknown name and an empty list, and lists the valid names', () => {
    for (const only of ['pipelin', 'pipeline:x', '', ',']) {
      assert.throws(() => selectModules(all, only), /expected a list of pipeline, pipeline:ingest, pipeline:processor/)
    }
  })
})
