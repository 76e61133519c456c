import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, chown, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { locateBinaries } from '../src/embedded/binaries.ts'
import { startEmbeddedServer } from '../src/embedded/index.ts'
import { emptyDirectory, notRootOnLinux, Owner, query, usedDirectory, withoutTools } from './embedded-owner.ts'

const run = promisify(execFile)
const nobody = 65534

/** Words before a command that run it as somebody other than root, without a right that root has. */
const asUser = (uid: number) => ['unshare', '-U', `--map-user=${uid}`, `--map-group=${uid}`]

async function userOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^Uid:\s+(\d+)/m.exec(status)?.[1])
}

/** Why the server cannot run as another user here: the whole way to its files must be open to all. */
async function unreachable(): Promise<string | false> {
  const notRoot = notRootOnLinux()
  if (notRoot !== false) return notRoot
  const { directory } = await locateBinaries()
  const check = [
    '--reuid',
    String(nobody),
    '--regid',
    String(nobody),
    '--clear-groups',
    'test',
    '-x',
    join(directory, 'postgres'),
  ]
  return run('setpriv', check).then(
    () => false,
    () => `${directory} is not open to other users`,
  )
}

describe('the embedded server runs', { skip: notRootOnLinux() }, async () => {
  const closed = await unreachable()

  it('for root, whose files stay root’s', async () => {
    await using directory = await emptyDirectory()
    await using server = await startEmbeddedServer({ dataDirectory: directory.path })
    assert.deepEqual(await query(server.url, 'select 1 as one'), [{ one: 1 }])
    assert.equal((await stat(join(directory.path, 'postgres'))).uid, 0)
  })

  it('for a user who is not root', async () => {
    await using directory = await emptyDirectory()
    await using owner = new Owner(directory.path, { through: asUser(nobody) })
    const { url } = await owner.started()
    assert.deepEqual(await query(url, 'select 1 as one'), [{ one: 1 }])
  })

  it('for a user who is not in /etc/passwd', async () => {
    await using directory = await emptyDirectory()
    await using owner = new Owner(directory.path, { through: asUser(424_242) })
    const { url } = await owner.started()
    assert.deepEqual(await query(url, 'select 1 as one'), [{ one: 1 }])
  })

  it('for root where namespaces are forbidden: as nobody, who is given the directory', { skip: closed }, async () => {
    await using directory = await emptyDirectory()
    await using owner = new Owner(directory.path, { through: withoutTools(['unshare']) })
    const { url, serverPid } = await owner.started()
    assert.deepEqual(await query(url, 'select 1 as one'), [{ one: 1 }])
    assert.equal(await userOf(serverPid), nobody)
    await owner.kill()

    // And for root where they are allowed again.
    await using server = await startEmbeddedServer({ dataDirectory: directory.path })
    assert.equal(await userOf(server.pid), nobody)
  })

  it('for root where namespaces are forbidden, on a cluster that was made in one', { skip: closed }, async () => {
    await using directory = await usedDirectory()
    await using owner = new Owner(directory.path, { through: withoutTools(['unshare']) })
    const { url } = await owner.started()
    assert.deepEqual(await query(url, 'select id from kept'), [{ id: 1 }])
  })

  it('for root on somebody else’s cluster: as that user, whose files stay theirs', { skip: closed }, async () => {
    await using directory = await usedDirectory()
    const uid = 424_242
    await run('chown', ['-R', `${uid}:${uid}`, directory.path])
    await using server = await startEmbeddedServer({ dataDirectory: directory.path })
    assert.equal(await userOf(server.pid), uid)
    assert.deepEqual(await query(server.url, 'select 1 as one'), [{ one: 1 }])
    assert.equal((await stat(join(directory.path, 'postgres', 'postmaster.pid'))).uid, uid)
  })
})

describe('a user who may not use the data directory', { skip: notRootOnLinux() }, () => {
  it('is told so, with what to do', async () => {
    await using directory = await emptyDirectory()
    await chown(directory.path, 424_242, 424_242)
    await chmod(directory.path, 0o700)
    await using owner = new Owner(directory.path, { through: asUser(nobody) })
    saysNoRights(await owner.refused(), directory.path)
  })

  it('is told so when it cannot be made', async () => {
    await using directory = await emptyDirectory()
    await chown(directory.path, 424_242, 424_242)
    await chmod(directory.path, 0o755)
    const dataDirectory = join(directory.path, 'data')
    await using owner = new Owner(dataDirectory, { through: asUser(nobody) })
    saysNoRights(await owner.refused(), dataDirectory)
  })

  it('is told so when only the cluster is somebody else’s', async () => {
    await using directory = await usedDirectory()
    await run('chown', ['-R', '424242:424242', join(directory.path, 'postgres')])
    await using owner = new Owner(directory.path, { through: asUser(nobody) })
    saysNoRights(await owner.refused(), directory.path)
  })
})

function saysNoRights({ code, message }: { code: string; message: string }, path: string): void {
  assert.equal(code, 'DATABASE_START_FAILED', message)
  for (const part of [`this user may not use ${path}`, 'chown', 'HEADRACE_DATA']) {
    assert(message.includes(part), `'${part}' is missing in: ${message}`)
  }
}
