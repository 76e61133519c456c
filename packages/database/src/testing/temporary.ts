import { spawn } from 'node:child_process'
import { mkdtemp, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Free bytes that memory must have for tests to keep their servers there. */
const roomBytes = 4 * 1024 ** 3

/**
 * Ends the server that may still run in the directory named by $0 and removes the directory, once standard input ends.
 * A stale `postmaster.pid` may name any process, so its command line is asked first.
 */
const afterwards = `
cat > /dev/null
pid=$(head -n 1 "$0/postgres/postmaster.pid" 2>/dev/null)
words() { if [ -d /proc/self ]; then tr '\\0' ' ' < "/proc/$pid/cmdline"; else ps -ww -o command= -p "$pid"; fi 2>/dev/null; }
serves() { [ -n "$pid" ] && words | grep -qF -- "-D $0/postgres "; }
serves && kill -QUIT "$pid"
for _ in 1 2 3 4 5 6 7 8 9 10; do serves || break; sleep 0.1; done
serves && kill -KILL "$pid"
rm -rf "$0"`

export interface TemporaryDirectory {
  readonly path: string
  /** Removes the directory; resolves when it is gone. */
  remove(): Promise<void>
}

/**
 * Makes a directory for a server that vanishes with this process even when it is killed: a small shell waits for the
 * end of its standard input, which comes with the end of this process. It does not keep this process alive.
 */
export async function temporaryDirectory(): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(await fastDirectory(), 'headrace-test-'))
  const reaper = spawn('sh', ['-c', afterwards, path], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  const gone = new Promise<void>((resolve) => reaper.once('close', () => resolve()))
  reaper.unref()
  // Its declared type hides that a pipe of a child process is a socket.
  const input = reaper.stdin as unknown as { unref(): void; ref(): void }
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

/** Memory where there is plenty: a database is made there ten times faster than on a slow disk. */
async function fastDirectory(): Promise<string> {
  const memory = await statfs('/dev/shm').catch(() => undefined)
  return memory !== undefined && memory.bavail * memory.bsize >= roomBytes ? '/dev/shm' : tmpdir()
}
