import { spawn } from 'node:child_process'
import { mkdtemp, realpath, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Free bytes that memory must have for tests to keep their servers there. */
const roomBytes = 4 * 1024 ** 3

/** Ends the servers that still run in the directory named by $0 and removes it, once standard input ends. */
const afterwards = `
cat > /dev/null
for file in "$0"/*/pid; do
  [ -f "$file" ] || continue
  pid=$(cat "$file")
  if [ -d /proc/self ]; then
    [ "$(readlink "/proc/$pid/cwd")" = "$(dirname "$file")" ] || grep -qF "$(dirname "$file")" "/proc/$pid/cmdline" || continue
  else ps -ww -o command= -p "$pid" | grep -qF "$0" || continue; fi
  kill -KILL "$pid"
done 2>/dev/null
rm -rf "$0" || { sleep 1; rm -rf "$0"; }`

export interface TemporaryDirectory {
  readonly path: string
  /** Ends what runs in it and removes it. */
  remove(): Promise<void>
}

/**
 * A directory for servers that vanishes with this process, even when that is killed; in memory where there is room,
 * unless a parent is given.
 */
export async function temporaryDirectory(parent?: string): Promise<TemporaryDirectory> {
  const path = await realpath(await mkdtemp(join(parent ?? (await fastDirectory()), 'headrace-services-')))
  const reaper = spawn('sh', ['-c', afterwards, path], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  const gone = new Promise<void>((resolve) => reaper.once('close', () => resolve()))
  reaper.unref()
  // Its declared type hides that a pipe of a child process is a socket.
  const input = reaper.stdin as unknown as { unref(): void }
  input.unref()
  return {
    path,
    async remove() {
      reaper.ref()
      reaper.stdin.end()
      await gone
    },
  }
}

/** Memory where there is plenty, else the system's own place. */
export async function fastDirectory(): Promise<string> {
  const memory = await statfs('/dev/shm').catch(() => undefined)
  return memory !== undefined && memory.bavail * memory.bsize >= roomBytes ? '/dev/shm' : tmpdir()
}
