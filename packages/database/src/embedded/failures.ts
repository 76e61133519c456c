import { messageOf, PlatformError } from '@headrace/runtime'

const remedies: readonly { readonly pattern: RegExp; readonly remedy: (directory: string) => string }[] = [
  {
    // Depending on where the disk ends, the server tells the system's error or the write that was cut short.
    pattern: /No space left on device|Disk quota exceeded|wrote only \d+ of \d+ bytes|ENOSPC|EDQUOT/,
    remedy: (directory) =>
      `the disk that holds ${directory} is full; free some space (a start needs about 100 MB) or set HEADRACE_DATA to another disk`,
  },
  {
    pattern: /Read-only file system|EROFS/,
    remedy: (directory) =>
      `${directory} lies on a read-only file system; set HEADRACE_DATA to a directory that can be written`,
  },
  {
    pattern: /ermission denied|EACCES|EPERM|wrong ownership|Operation not permitted/,
    remedy: (directory) =>
      `this user may not use ${directory}; start as the user who made it, correct its owner (chown -R), or set HEADRACE_DATA to another directory`,
  },
  {
    pattern: /ENOTDIR|EEXIST/,
    remedy: (directory) => `${directory} is not a directory; set HEADRACE_DATA to one`,
  },
  {
    pattern: /ENOENT.*mkdir/,
    remedy: (directory) => `${directory} cannot be made; set HEADRACE_DATA to a directory that can`,
  },
  {
    pattern: /password authentication failed/,
    remedy: (directory) =>
      `the password in ${directory} is not the one that the cluster was made with; restore the file from a backup, or start anew with another HEADRACE_DATA`,
  },
  {
    pattern: /could not look up effective user ID/,
    remedy: () => 'this user has no entry in /etc/passwd; add one, or set DATABASE_URL to a server elsewhere',
  },
  {
    pattern: /Cannot allocate memory|could not map anonymous shared memory|could not create shared memory/,
    remedy: () =>
      'the machine has too little free memory or shared memory; free some, or set DATABASE_URL to a server elsewhere',
  },
]

/**
 * The error for a server that did not start: what happened and how to mend it, judged from the text of the server's log
 * (always in English) or of the system's error.
 */
export function startFailure(directory: string, cause: unknown, log: readonly string[] = []): PlatformError {
  const reasons = log.length > 0 ? log : [messageOf(cause)]
  const text = reasons.join('\n')
  const known = remedies.find(({ pattern }) => pattern.test(text))
  const reason = decisiveLine(reasons)
  const advice = known === undefined ? 'postgres.log in that directory tells more' : known.remedy(directory)
  const message = `the embedded database in ${directory} did not start: ${reason}; ${advice}`
  return new PlatformError('DATABASE_START_FAILED', message, { details: { directory, log: reasons.slice(-10) }, cause })
}

/** The first fatal line, else the first error, else the last line, without time stamp and severity. */
function decisiveLine(lines: readonly string[]): string {
  const line =
    lines.find((candidate) => /\b(FATAL|PANIC):/.test(candidate)) ??
    lines.find((candidate) => /error:/i.test(candidate)) ??
    lines.at(-1) ??
    'no reason given'
  return line.replace(/^.*?\b(FATAL|PANIC|LOG|error):\s*/, '').trim()
}

/** Tells whether the log says that the port belongs to another process. */
export function saysPortTaken(log: readonly string[]): boolean {
  return log.some((line) => /could not bind .*Address already in use/.test(line))
}

/** Tells whether the log says that another server was there first; only without `flock` does it come to this. */
export function saysLocked(log: readonly string[]): boolean {
  return log.some((line) => line.includes('lock file "postmaster.pid" already exists'))
}
