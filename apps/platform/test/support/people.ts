import { randomUUID } from 'node:crypto'
import { get, post } from './platform.ts'

/** Somebody with an account. */
export interface TestPerson {
  readonly id: number
  readonly uid: string
  readonly token: string
  /** The header that shows the token. */
  readonly headers: Readonly<Record<string, string>>
}

/** Registers somebody. */
export async function person(url: string): Promise<TestPerson> {
  const email = `${randomUUID()}@example.com`
  const { status, body } = await post(`${url}/api/v1/register`, { email, password: 'correct horse battery' })
  if (status !== 201) throw new Error(`registering was answered ${status}`)
  const token = String(body['access_token'])
  const headers = { authorization: `Bearer ${token}` }
  const me = await get(`${url}/api/v1/me`, headers)
  return { id: Number(body['id']), uid: String(me.body['uid']), token, headers }
}
