import type { TextCapture } from '../../recording/text-capture.ts'
import { BoundValues } from './bound-values.ts'
import type { ClientMessage } from './client-message.ts'

const queryType = 81 // Q
const bindType = 66 // B
const describeType = 68 // D
const executeType = 69 // E
const syncType = 83 // S
const portalKind = 80 // P
const colon = 58

const sync: ClientMessage = { kind: 'sync' }
const executeUnnamed: ClientMessage = { kind: 'execute', portal: '' }
const describeUnnamed: ClientMessage = { kind: 'describe', what: 'portal', name: '' }
const none: readonly never[] = []
const longestName = 64
const longestValue = 256

/**
 * Reads, in place and without a copy, the messages that a driver sends again and again: a Query of plain text, Sync, Execute and
 * Describe of the unnamed portal, a Bind of short ASCII texts to it.
 * @returns undefined for any other: the decoders of `proxy/wire` read it, or say what is wrong with it
 */
export function readQuickly(
  type: number,
  bytes: Buffer,
  start: number,
  end: number,
  capture: TextCapture,
): ClientMessage | undefined {
  if (type === queryType) return readQuery(bytes, start, end, capture)
  if (type === bindType) return readBind(bytes, start, end, capture)
  if (type === executeType) return end - start === 5 && bytes[start] === 0 ? executeUnnamed : undefined
  if (type === syncType) return end === start ? sync : undefined
  if (type === describeType)
    return end - start === 2 && bytes[start] === portalKind && bytes[start + 1] === 0 ? describeUnnamed : undefined
  return undefined
}

/** Layout: cstring sql. */
function readQuery(bytes: Buffer, start: number, end: number, capture: TextCapture): ClientMessage | undefined {
  if (end === start || bytes[end - 1] !== 0) return undefined
  const sql = capture.plain(bytes, start, end - 1)
  return sql && { kind: 'query', sql }
}

/** Layout: NUL, cstring statement, n × int16 format (0), m × value, r × int16 result format, each with its int16 count. */
function readBind(bytes: Buffer, start: number, end: number, capture: TextCapture): ClientMessage | undefined {
  if (end - start < 8 || bytes[start] !== 0) return undefined
  let at = start + 1
  while (at < end && bytes[at] !== 0) at += 1
  if (at === end || at - start > longestName) return undefined
  const statement = at === start + 1 ? '' : bytes.toString('latin1', start + 1, at)
  const formats = at + 1
  at = skipFormats(bytes, formats, end, 0)
  if (at < 0 || end - at < 2) return undefined
  const count = int16(bytes, at)
  if (at - formats > 4 && int16(bytes, formats) !== count) return undefined
  at += 2
  if (count * 4 > end - at) return undefined
  const values: (string | null)[] = []
  let isPlain = true
  for (let i = 0; i < count; i += 1) {
    if (end - at < 4) return undefined
    const size = int32(bytes, at)
    at += 4
    if (size === -1) {
      values.push(null)
      continue
    }
    if (size < 0 || size > longestValue || size > end - at) return undefined
    const to = at + size
    for (let j = at; j < to; j += 1) {
      const byte = bytes[j] as number
      if (byte > 127) return undefined
      if (byte >= colon) isPlain = false
    }
    values.push(bytes.toString('latin1', at, to))
    at = to
  }
  if (skipFormats(bytes, at, end, 1) !== end) return undefined
  const bound = new BoundValues(none, values, capture, isPlain)
  return { kind: 'bind', portal: '', statement, values: bound, bytes: end - start }
}

/** @returns where the formats end; −1: there are others than up to `most`, or they are cut off */
function skipFormats(bytes: Buffer, at: number, end: number, most: number): number {
  if (end - at < 2) return -1
  const count = int16(bytes, at)
  const to = at + 2 + count * 2
  if (to > end) return -1
  for (let i = at + 2; i < to; i += 2) if (int16(bytes, i) > most) return -1
  return to
}

function int16(bytes: Buffer, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
}

function int32(bytes: Buffer, at: number): number {
  return (int16(bytes, at) << 16) | int16(bytes, at + 2)
}
