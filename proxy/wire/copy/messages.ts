/**
 * What client and broker say to each other in the websocket of a copy. Text messages are JSON, binary ones the bytes of the file that was
 * announced last.
 *
 * From the client: `{"copy"}` first. Upwards then `{"folder"}`, and `{"file"}` with its bytes, and `{"end"}`; downwards `{"ack"}`, the
 * count of bytes taken so far.
 * To it: `{"ready"}`; `{"folder"}` and `{"file"}` downwards; `{"done"}`, `{"failed"}`, `{"skipped"}`; `{"end"}`; and as in every session
 * `{"notice"}` and `{"error"}`.
 */
import { isBelow, isPath } from './names.ts'

export type CopyDirection = 'up' | 'down'

export interface CopyAsk {
  /** At the instance; below the home of the user where it does not begin with a slash. */
  readonly path: string
  /** What is copied may be a folder. */
  readonly recursive: boolean
  /** Upwards: what it is called inside `path`, if that is a folder. */
  readonly name: string
}

export interface CopiedFolder {
  /** Below what is copied; empty: that itself. */
  readonly name: string
  /** Permissions. */
  readonly mode: number
}

export interface CopiedFile extends CopiedFolder {
  /** Bytes. */
  readonly size: number
}

/** What the text messages of the broker say; names are below what is copied. */
export type Told =
  /** `path`: what is copied, or where to, at the instance. */
  | { readonly ready: { readonly path: string } }
  | { readonly folder: CopiedFolder }
  | { readonly file: CopiedFile }
  | { readonly done: { readonly name: string; readonly size: number; readonly sha256: string } }
  | { readonly failed: NotCopied }
  | { readonly skipped: NotCopied }
  | { readonly end: true }
  | { readonly notice: string }

export interface NotCopied {
  readonly name: string
  readonly why: string
}

export type ClientMessage =
  | { readonly type: 'folder'; readonly folder: CopiedFolder }
  | { readonly type: 'file'; readonly file: CopiedFile }
  | { readonly type: 'end' }
  | { readonly type: 'ack'; readonly bytes: number }

/** Six bytes of JSON for each byte of a name, and what is around it. */
export const longestText = 32 * 1024

/** @returns undefined: it is none */
export function readAsk(text: Buffer): CopyAsk | undefined {
  const { path, recursive, name } = objectOf(membersOf(text).copy)
  if (typeof path !== 'string' || !isPath(path) || typeof recursive !== 'boolean') return undefined
  return typeof name === 'string' && isBelow(name) && !name.includes('/') ? { path, recursive, name } : undefined
}

/** @returns undefined: it is none */
export function readClientMessage(text: Buffer): ClientMessage | undefined {
  const members = membersOf(text)
  const [type, ...more] = Object.keys(members)
  if (more.length > 0) return undefined
  if (type === 'end') return { type }
  if (type === 'ack') return isCount(members.ack) ? { type, bytes: members.ack } : undefined
  const { name, mode, size } = objectOf(members[type ?? ''])
  if (typeof name !== 'string' || !isBelow(name) || !isMode(mode)) return undefined
  if (type === 'folder') return { type, folder: { name, mode } }
  return type === 'file' && isCount(size) ? { type, file: { name, mode, size } } : undefined
}

/** Of a broker. @returns undefined: it says nothing of the copy itself */
export function readTold(text: Buffer): Exclude<Told, { notice: string }> | undefined {
  const members = membersOf(text)
  if (members.end === true) return { end: true }
  const [type = ''] = Object.keys(members)
  const { name, mode, size, path, sha256, why } = objectOf(members[type])
  if (type === 'ready') return typeof path === 'string' ? { ready: { path } } : undefined
  if (typeof name !== 'string' || !isBelow(name)) return undefined
  if ((type === 'failed' || type === 'skipped') && typeof why === 'string')
    return type === 'failed' ? { failed: { name, why } } : { skipped: { name, why } }
  if (type === 'folder' && isMode(mode)) return { folder: { name, mode } }
  if (!isCount(size)) return undefined
  if (type === 'file' && isMode(mode)) return { file: { name, mode, size } }
  return type === 'done' && typeof sha256 === 'string' ? { done: { name, size, sha256 } } : undefined
}

function isMode(value: unknown): value is number {
  return isCount(value) && value <= 0o777
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function membersOf(text: Buffer): Readonly<Record<string, unknown>> {
  if (text.length > longestText) return {}
  try {
    return objectOf(JSON.parse(text.toString()))
  } catch {
    return {}
  }
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
