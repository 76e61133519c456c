import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cached } from './cache.ts'
import { debianProgram } from './debian.ts'
import { firstAnswer } from './ports.ts'
import { programNamed, retried, run } from './run.ts'
import type { ServerNode } from './server-process.ts'

export const natsVersion = '2.15.2'

export interface NatsPorts {
  readonly client: number
  /** Between the nodes; needed where there are several. */
  readonly cluster?: number
}

export interface NatsPlan {
  readonly directory: string
  /** One entry a node. */
  readonly ports: readonly NatsPorts[]
  /** Lines of nats-server.conf besides ours. */
  readonly settings?: string
}

/** The nodes of a JetStream cluster that syncs before it acknowledges; fetches what is missing. */
export async function natsNodes(plan: NatsPlan): Promise<ServerNode[]> {
  const program = await natsProgram()
  return Promise.all(
    plan.ports.map(async ({ client }, index) => {
      const name = `nats-${index + 1}`
      const directory = join(plan.directory, name)
      await mkdir(directory, { recursive: true })
      const settings = join(directory, 'settings')
      await writeFile(settings, settingsOf(plan, index, directory))
      const node: ServerNode = {
        name,
        directory,
        command: [program, '-c', settings],
        ready: async () => (await firstAnswer(client))?.startsWith('INFO') === true,
      }
      return node
    }),
  )
}

function settingsOf(plan: NatsPlan, index: number, directory: string): string {
  const { client, cluster } = plan.ports[index] as NatsPorts // by whoever counts the nodes
  const routes = plan.ports.map((ports) => `"nats://127.0.0.1:${ports.cluster}"`).join(', ')
  const clustered = `cluster { name: headrace, listen: "127.0.0.1:${cluster}", routes: [${routes}] }\n`
  return [
    `server_name: "nats-${index + 1}"\n`,
    `listen: "127.0.0.1:${client}"\n`,
    // Without it an acknowledgement comes before the disk has the message.
    `jetstream { store_dir: "${join(directory, 'data')}", sync_interval: always }\n`,
    plan.ports.length > 1 ? clustered : '',
    plan.settings ?? '',
  ].join('')
}

/** The search path's, else made from source, else Debian's. */
async function natsProgram(): Promise<string> {
  const local = await programNamed('nats-server')
  if (local !== undefined) return local
  const go = await programNamed('go')
  if (go === undefined) return debianProgram('nats-server')
  try {
    return join(await cached(`nats-${natsVersion}`, (folder) => build(go, folder)), 'nats-server')
  } catch (error) {
    return debianProgram('nats-server').catch(() => Promise.reject(error))
  }
}

async function build(go: string, folder: string): Promise<void> {
  const args = ['install', `github.com/nats-io/nats-server/v2@v${natsVersion}`]
  await retried(() => run(go, args, { cwd: folder, env: { GOBIN: folder, CGO_ENABLED: '0' } }))
}
