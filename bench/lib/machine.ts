import { execFileSync } from 'node:child_process'
import { cpus, totalmem } from 'node:os'

/** What a number needs beside it: machine, commit and command. */
export function circumstances(command: string): string[] {
  const processor = cpus()[0]?.model ?? 'unknown processor'
  return [
    `date     ${new Date().toISOString()}`,
    `machine  ${cpus().length} × ${processor}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`,
    `commit   ${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain') === '' ? '' : ' with changes'}`,
    `command  ${command}`,
  ]
}

function git(...args: string[]): string {
  try {
    return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return 'unknown'
  }
}
