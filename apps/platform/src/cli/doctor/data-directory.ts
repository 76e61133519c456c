import { access, constants, stat, statfs } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { dirname, resolve } from 'node:path'
import { hasSystemCode, messageOf } from '@headrace/runtime'
import type { Occupant } from '../running-file.ts'
import type { Finding } from './finding.ts'

/** Free bytes below which the embedded database cannot start, or will soon be in need. */
const leastFreeBytes = 100 * 2 ** 20
const comfortableFreeBytes = 2 ** 30

/** Where the embedded database lies: whether it can be used, by whom it is, and how much room there is. */
export async function examineDataDirectory(
  dataDirectory: string,
  occupant: Occupant | undefined,
): Promise<readonly Finding[]> {
  const path = resolve(dataDirectory)
  try {
    const existing = await nearestExisting(path)
    return [await usable(path, existing), await room(path, existing), occupancy(path, occupant)]
  } catch (error) {
    return [
      {
        about: 'data',
        state: 'broken',
        text: `${path}: ${messageOf(error)}`,
        fix: 'set HEADRACE_DATA to a directory that can be used',
      },
    ]
  }
}

async function usable(path: string, existing: string): Promise<Finding> {
  const about = 'data'
  const found = await stat(existing)
  const mode = (found.mode & 0o777).toString(8).padStart(4, '0')
  const whose = `owner ${found.uid}, mode ${mode}`
  if (!found.isDirectory())
    return { about, state: 'broken', text: `${existing} is no directory`, fix: 'set HEADRACE_DATA to one' }
  try {
    await access(existing, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch {
    const text = `${existing} (${whose}) may not be written by user ${userInfo().uid}`
    return {
      about,
      state: 'broken',
      text,
      fix: 'start as its owner, correct its owner (chown -R), or set HEADRACE_DATA',
    }
  }
  if (existing !== path) return { about, state: 'ok', text: `${path} does not exist yet and will be made` }
  const open = (found.mode & 0o077) !== 0
  if (!open) return { about, state: 'ok', text: `${path} (${whose})` }
  return { about, state: 'note', text: `${path} (${whose}) is open to other users`, fix: `chmod 700 ${path}` }
}

async function room(path: string, existing: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(existing)
  const free = bavail * bsize
  const text = `${(free / 2 ** 30).toFixed(1)} GiB free where ${path} lies`
  const fix = 'free some space, or set HEADRACE_DATA to another disk'
  if (free < leastFreeBytes) return { about: 'room', state: 'broken', text, fix }
  return free < comfortableFreeBytes
    ? { about: 'room', state: 'note', text, fix }
    : { about: 'room', state: 'ok', text }
}

function occupancy(path: string, occupant: Occupant | undefined): Finding {
  if (occupant === undefined) return { about: 'running', state: 'ok', text: `nothing runs on ${path} now` }
  const { server, process } = occupant
  const since = process === undefined ? '' : ` since ${process.startedAt}: ${process.roles.join(', ')}`
  return { about: 'running', state: 'ok', text: `process ${server.ownerPid}${since}` }
}

async function nearestExisting(path: string): Promise<string> {
  try {
    await stat(path)
    return path
  } catch (error) {
    const missing = hasSystemCode(error, 'ENOENT')
    if (!missing || dirname(path) === path) throw error
    return nearestExisting(dirname(path))
  }
}
