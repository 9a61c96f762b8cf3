/**
 * What servers answer to commands (MySQL documentation, "OK_Packet", "EOF_Packet", "COM_STMT_PREPARE Response"; MariaDB Server
 * documentation, "OK_Packet"). Read in place; rows and column definitions are not read at all.
 */
import { WireError } from '../wire-error.ts'
import { PayloadReader } from './payload-reader.ts'

/** Status flags. */
export const status = { moreResults: 0x8, cursorExists: 0x40, lastRowSent: 0x80, sessionChanged: 0x4000 } as const

/** How a result ended: OK, or EOF. */
export interface Ended {
  readonly status: number
  /** Changed, of an OK. */
  readonly affected: number
  /** What the server says that changed. */
  readonly changes?: SessionChanges
}

export interface SessionChanges {
  /** The current one. */
  readonly database?: string
}

const schemaChange = 1

/** EOF_Packet: 0xFE, int<2> warnings, int<2> status. */
export function decodeEof(payload: Buffer): Ended {
  const reader = new PayloadReader(payload, 1)
  reader.uint16()
  return { status: reader.uint16(), affected: 0 }
}

const eofByte = 0xfe
const [eofBytes, leastOkBytes] = [5, 7] as const
/** A length-encoded integer below is one byte. */
const longerNumbers = 0xfb

/** The same of `bytes[start, end)`, without a view. @returns its status; −1: it is none, or has another length than the usual one */
export function readEof(bytes: Buffer, start: number, end: number): number {
  if (end - start !== eofBytes || bytes[start] !== eofByte) return -1
  return uint16(bytes, start + 3)
}

/**
 * An OK_Packet at `bytes[start, end)`, without a view.
 * @returns its status; −1: it is too short, or one of its numbers does not fit into a byte. The rows that it changed are the second byte
 */
export function readOk(bytes: Buffer, start: number, end: number): number {
  if (end - start < leastOkBytes) return -1
  if ((bytes[start + 1] as number) >= longerNumbers || (bytes[start + 2] as number) >= longerNumbers) return -1
  return uint16(bytes, start + 3)
}

function uint16(bytes: Buffer, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
}

/**
 * OK_Packet: 0x00 or 0xFE, affected rows and last id (length-encoded), int<2> status, int<2> warnings, then a text to the end, or,
 * where session changes are tracked, a length-encoded one and those changes.
 */
export function decodeOk(payload: Buffer, isTracking: boolean): Ended {
  const reader = new PayloadReader(payload, 1)
  const affected = reader.length()
  reader.length()
  const flags = reader.uint16()
  const ended = { status: flags, affected }
  if (!isTracking || (flags & status.sessionChanged) === 0) return ended
  reader.uint16()
  reader.string()
  return { ...ended, changes: decodeChanges(reader.string()) }
}

/** Each: int<1> type, then its data, length-encoded: of a variable its name and value, of a new schema its name. */
function decodeChanges(bytes: Buffer): SessionChanges {
  const reader = new PayloadReader(bytes)
  let changes: SessionChanges = {}
  while (reader.left > 0) {
    const type = reader.byte()
    const data = new PayloadReader(reader.string())
    if (type === schemaChange) changes = { ...changes, database: data.string().toString('utf8') }
  }
  return changes
}

export interface PreparedReply {
  readonly id: number
  readonly columns: number
  readonly parameters: number
}

/** 0x00, int<4> id, int<2> columns, int<2> parameters … */
export function decodePrepared(payload: Buffer): PreparedReply {
  const reader = new PayloadReader(payload)
  if (reader.byte() !== 0) throw new WireError('an unexpected answer to a prepare')
  const id = reader.uint32()
  const columns = reader.uint16()
  return { id, columns, parameters: reader.uint16() }
}
