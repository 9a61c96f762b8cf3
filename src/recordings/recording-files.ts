import { access, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { BrokerError } from '../../proxy/session.ts'
import { madeAt } from '../store/ids.ts'

const sessionId = /^ses_[0-9a-z]{1,40}$/
const day = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/

/** `YYYY-MM-DD` in UTC. */
export function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10)
}

/** @throws BrokerError INVALID_INPUT for an id that could leave the folder */
export function recordingName(id: string): string {
  if (!sessionId.test(id)) throw new BrokerError('INVALID_INPUT', 'expected a session id, such as ses_…')
  return `${id}.jsonl`
}

/** @throws BrokerError INVALID_INPUT */
export async function lookForRecording(dir: string, id: string): Promise<string | undefined> {
  const name = recordingName(id)
  const lookIn = async (folder: string) => {
    const path = join(dir, folder, name)
    return (await exists(path)) ? path : undefined
  }
  const at = madeAt(id)
  const found = at === undefined ? undefined : await lookIn(dayOf(at)) // nearly always there, however many days there are
  if (found !== undefined) return found
  for (const folder of await listDays(dir)) {
    const other = await lookIn(folder)
    if (other !== undefined) return other
  }
  return undefined
}

/** @throws BrokerError NOT_FOUND, INVALID_INPUT */
export async function findRecording(dir: string, id: string): Promise<string> {
  const path = await lookForRecording(dir, id)
  if (path === undefined) throw noRecording(id)
  return path
}

export function noRecording(id: string): BrokerError {
  return new BrokerError('NOT_FOUND', `there is no recording of session ${id}`)
}

/** Newest first. */
async function listDays(dir: string): Promise<string[]> {
  const names = await readdir(dir).catch(ignoreMissing)
  return names.filter((name) => day.test(name)).sort((a, b) => (a < b ? 1 : -1))
}

/** Sessions of one day that were recorded. */
export async function listDay(dir: string, folder: string): Promise<string[]> {
  const names = await readdir(join(dir, folder)).catch(ignoreMissing)
  return names.filter((name) => name.endsWith('.jsonl')).map((name) => join(dir, folder, name))
}

function ignoreMissing(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return []
  throw error
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
