import { readdir, readFile, readlink } from 'node:fs/promises'

export interface PortHolder {
  readonly pid: number
  readonly command: string
}

/** Who listens on a TCP port of this machine, where the system tells (Linux, and processes that we may look at). */
export async function portHolder(port: number): Promise<PortHolder | undefined> {
  const tables = await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map((path) => readFile(path, 'utf8').catch(() => '')),
  )
  const sockets = new Set(tables.flatMap((text) => listeningSockets(text, port)))
  if (sockets.size === 0) return undefined
  for (const name of await readdir('/proc')) {
    if (/^\d+$/.test(name) && (await holdsOneOf(name, sockets)))
      return { pid: Number(name), command: await commandOf(name) }
  }
  return undefined
}

/** The sockets (as links of file descriptors show them) that listen on the port, from a table of proc(5) net/tcp. */
function listeningSockets(text: string, port: number): string[] {
  const listening = '0A'
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(wanted) && state === listening)
    .map((fields) => `socket:[${fields[9]}]`)
}

async function holdsOneOf(pid: string, sockets: ReadonlySet<string>): Promise<boolean> {
  const directory = `/proc/${pid}/fd`
  const names = await readdir(directory).catch(() => [])
  const links = await Promise.all(names.map((name) => readlink(`${directory}/${name}`).catch(() => '')))
  return links.some((link) => sockets.has(link))
}

async function commandOf(pid: string): Promise<string> {
  const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return words.replaceAll('\0', ' ').trim().slice(0, 80)
}
