import { coversDatabase } from '../../allowed-databases.ts'
import { type ChangeUser, decodeChangeUser } from '../../wire/mysql/change-user.ts'
import { command, commandNames } from '../../wire/mysql/commands.ts'
import { PayloadReader } from '../../wire/mysql/payload-reader.ts'
import { decodeExecution } from '../../wire/mysql/values.ts'
import { WireError } from '../../wire/wire-error.ts'
import type { Commands } from '../sql/commands.ts'
import type { SessionText } from '../sql/session-text.ts'
import { Bound } from './bound.ts'
import type { Request } from './pending.ts'
import { type LongData, lastPrepared, type PreparedStatements } from './prepared.ts'
import { databaseDenied, killAmidOthers, killPrepared, notAllowed, type Refusal } from './refusals.ts'

/** What the broker itself does for a command. */
export type OwnWork =
  | { readonly refusal: Refusal }
  | { readonly kill: { readonly what: 'connection' | 'query'; readonly id: number } }
  | { readonly reset: true }
  | { readonly changeUser: ChangeUser }

/** A command, as the ledger needs it. */
export type ClientCommand =
  | { readonly kind: 'request'; readonly request: Request }
  | { readonly kind: 'own'; readonly request: Request; readonly work: OwnWork }
  /** Without an answer. */
  | { readonly kind: 'quit' }
  | { readonly kind: 'close'; readonly id: number }
  | { readonly kind: 'long-data' }

export interface ReadingParts {
  readonly capture: SessionText
  /** A text may hold several statements. */
  hasMany(): boolean
  readonly statements: PreparedStatements
  readonly longData: LongData
  readonly databases: readonly string[]
  /** COM_RESET_CONNECTION is carried out by the broker. */
  readonly keepsReset: boolean
}

const ping: ClientCommand = { kind: 'request', request: { kind: 'ping' } }
/** Of a detail. */
const longestDetail = 256

/**
 * Reads one command that is whole.
 * @param payload valid during the call only; what is kept of it is copied
 * @throws WireError when it is not what its first byte says; BrokerError LIMIT_REACHED
 */
export function readCommand(payload: Buffer, parts: ReadingParts): ClientCommand {
  const asked = payload[0] as number
  switch (asked) {
    case command.query: {
      const sql = parts.capture.sql(payload.subarray(1))
      return toQuery({ kind: 'query', sql, files: [] }, parts.capture.commands(payload.subarray(1)))
    }
    case command.prepare: {
      const sql = parts.capture.sql(payload.subarray(1))
      return toPrepare({ kind: 'parse', sql }, parts.capture.commands(payload.subarray(1)))
    }
    case command.execute:
      return readExecution(payload, parts)
    case command.ping:
      return ping
    case command.quit:
      return { kind: 'quit' }
    case command.close:
      return { kind: 'close', id: readId(payload) }
    case command.sendLongData:
      readLongData(payload, parts.longData)
      return { kind: 'long-data' }
    case command.reset:
      return { kind: 'request', request: { kind: 'reset', id: readId(payload) } }
    case command.fetch: {
      const id = readId(payload)
      return { kind: 'request', request: { kind: 'fetch', id, statement: parts.statements.get(id) } }
    }
    default:
      return readOther(asked, payload, parts)
  }
}

function readOther(asked: number, payload: Buffer, parts: ReadingParts): ClientCommand {
  const request = { kind: 'command', name: nameOf(asked), detail: detailOf(asked, payload) } as const
  switch (asked) {
    case command.initDatabase: {
      const database = payload.toString('utf8', 1)
      const { databases } = parts
      if (coversDatabase(databases, database)) return { kind: 'request', request }
      return { kind: 'own', request, work: { refusal: databaseDenied(database, databases) } }
    }
    case command.processKill:
      return { kind: 'own', request, work: { kill: { what: 'connection', id: readId(payload) } } }
    case command.changeUser:
      return { kind: 'own', request, work: { changeUser: decodeChangeUser(payload) } }
    case command.resetConnection:
      if (!parts.keepsReset) return { kind: 'request', request }
      return { kind: 'own', request, work: { reset: true } }
    case command.fieldList:
    case command.statistics:
    case command.processInfo:
    case command.setOption:
      return { kind: 'request', request }
    default:
      return { kind: 'own', request, work: { refusal: notAllowed(`COM_${request.name}`) } }
  }
}

/** For a command that is too long to be read whole, and that nobody sends so long. */
export function refuseLong(asked: number): ClientCommand {
  const name = nameOf(asked)
  const work = { refusal: notAllowed(`COM_${name} of this length`) }
  return { kind: 'own', request: { kind: 'command', name }, work }
}

function nameOf(asked: number): string {
  return commandNames[asked] ?? `0x${asked.toString(16).padStart(2, '0')}`
}

function detailOf(asked: number, payload: Buffer): string {
  const bytes = payload.subarray(1, 1 + longestDetail)
  if (asked === command.initDatabase) return bytes.toString('utf8')
  if (asked === command.fieldList || asked === command.changeUser)
    return new PayloadReader(payload, 1).cstring().toString('utf8').slice(0, longestDetail)
  return ''
}

/** int<4> at the start of the body. */
function readId(payload: Buffer): number {
  return new PayloadReader(payload, 1).uint32()
}

/** A KILL is carried out by the broker, since numbers of threads are those of other people's sessions. */
export function toQuery(request: Request & { kind: 'query' }, { only, all }: Commands): ClientCommand {
  if (only?.kind === 'kill') return { kind: 'own', request, work: { kill: { what: only.what, id: only.id } } }
  if (all.some(isKill)) return { kind: 'own', request, work: { refusal: killAmidOthers } }
  const files = all.flatMap((one) => (one.kind === 'load-local' ? [one.file] : []))
  return { kind: 'request', request: files.length === 0 ? request : { ...request, files } }
}

export function toPrepare(request: Request & { kind: 'parse' }, { all }: Commands): ClientCommand {
  if (all.some(isKill)) return { kind: 'own', request, work: { refusal: killPrepared } }
  return { kind: 'request', request }
}

export function isKill({ kind }: Commands['all'][number]): boolean {
  return kind === 'kill' || kind === 'kill-query-id' || kind === 'kill-other'
}

function readExecution(payload: Buffer, { capture, statements, longData }: ReadingParts): ClientCommand {
  const { id, hasCursor, parameters } = decodeExecution(payload)
  const bound = new Bound({ id, hasCursor, parameters: Buffer.from(parameters) }, longData.take(id), capture)
  if (id !== lastPrepared) bound.resolve(statements.get(id)) // which that will be is known once it is executed
  return { kind: 'request', request: { kind: 'execute', bound } }
}

const longDataHead = 7

/** int<4> statement, int<2> parameter, data. */
function readLongData(payload: Buffer, longData: LongData): void {
  if (payload.length < longDataHead) throw new WireError('insufficient data left in packet')
  const sending = longData.begin(payload.readUInt32LE(1), payload.readUInt16LE(5))
  longData.add(sending, payload, longDataHead, payload.length)
}
