import assert from 'node:assert/strict'
import { chmod, mkdtempDisposable, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { keptSecret } from '../src/index.ts'

it('a secret is made once, whoever asks at once, and only its owner may read it', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'secret-'))
  const path = join(directory.path, 'data', 'jwt-secret')
  let made = 0
  const ask = () => keptSecret(path, () => `secret ${++made}`)
  const secrets = await Promise.all([ask(), ask(), ask(), ask()])
  assert.equal(new Set(secrets).size, 1)
  assert.equal(await ask(), secrets[0])
  assert.equal((await readFile(path, 'utf8')).trim(), secrets[0])
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  assert.deepEqual(await readdir(join(directory.path, 'data')), ['jwt-secret'])
  await chmod(path, 0o644)
  assert.equal(await ask(), secrets[0])
  assert.equal((await stat(path)).mode & 0o777, 0o600, 'also when somebody has opened it')
})

it('a directory that cannot be written is named', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'secret-'))
  await writeFile(join(directory.path, 'file'), '')
  const path = join(directory.path, 'file', 'jwt-secret')
  await assert.rejects(
    keptSecret(path, () => 's'),
    (error: Error) => error.message.startsWith(`no secret can be kept in ${path}`),
  )
})
