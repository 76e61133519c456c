import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { debianProgram } from './debian.ts'
import { firstAnswer } from './ports.ts'
import { programNamed } from './run.ts'
import type { ServerNode } from './server-process.ts'

export interface RedisPlan {
  readonly directory: string
  readonly port: number
  /** Lines of redis.conf besides ours. */
  readonly settings?: string
}

/** A Redis that keeps nothing on disk; fetches what is missing. */
export async function redisNode(plan: RedisPlan): Promise<ServerNode> {
  const program = (await programNamed('redis-server')) ?? (await debianProgram('redis-server'))
  const directory = join(plan.directory, 'redis-1')
  await mkdir(directory, { recursive: true })
  const settings = join(directory, 'settings')
  const own = `bind 127.0.0.1\nport ${plan.port}\nsave ""\nappendonly no\ndaemonize no\ndir "${directory}"\n`
  await writeFile(settings, own + (plan.settings ?? ''))
  return {
    name: 'redis-1',
    directory,
    command: [program, settings],
    // It may ask for a password, which is an answer, too.
    ready: async () => /^(\+PONG|-NOAUTH)/.test((await firstAnswer(plan.port, 'PING\r\n')) ?? ''),
  }
}
