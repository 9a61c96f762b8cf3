import { captureSql, type Truncated, untilNul } from '../../recording/captured.ts'
import { decodeBind, decodeFrontend, decodeFunctionCall, decodeParse, decodeQuery } from '../../wire/postgres/decode.ts'
import type { ClientRequest } from './pending.ts'

/** A client message as the ledger needs it: a request, the end of a COPY, or the end of the session. */
export type ClientMessage =
  | ClientRequest
  | { readonly kind: 'copy-end'; readonly isDone: boolean }
  | { readonly kind: 'terminate' }

/**
 * Reads one message of a client.
 * @param body valid during the call only; what is kept of it is copied
 * @returns undefined for messages that are never answered
 * @throws WireError when the body is not what its type says
 */
export function readClientMessage(type: number, body: Buffer): ClientMessage | undefined {
  switch (String.fromCharCode(type)) {
    case 'Q':
      return { kind: 'query', sql: captureSql(decodeQuery(body)) }
    case 'P': {
      const { statement, sql, oids } = decodeParse(body)
      return { kind: 'parse', name: nameOf(statement), sql: captureSql(sql), oids }
    }
    case 'B': {
      const message = decodeBind(Buffer.from(body))
      const [portal, statement] = [nameOf(message.portal), nameOf(message.statement)]
      return { kind: 'bind', portal, statement, message, bytes: body.length }
    }
    case 'F':
      return { kind: 'function-call', message: decodeFunctionCall(Buffer.from(body)) }
    default:
      return readOther(type, body)
  }
}

function readOther(type: number, body: Buffer): ClientMessage | undefined {
  const message = decodeFrontend(type, body)
  switch (message.kind) {
    case 'execute':
      return { kind: 'execute', portal: nameOf(message.portal) }
    case 'describe':
    case 'close':
      return { kind: message.kind, what: message.what, name: nameOf(message.name) }
    case 'sync':
      return { kind: 'sync' }
    case 'copy-done':
    case 'copy-fail':
      return { kind: 'copy-end', isDone: message.kind === 'copy-done' }
    case 'terminate':
      return { kind: 'terminate' }
    default:
      return undefined
  }
}

/** Reads the beginning of a message that is too long to keep. The framer allows that length for few types only. */
export function readTruncatedMessage(type: number, beginning: Buffer, cut: Truncated): ClientRequest | undefined {
  const first = untilNul(beginning)
  const second = untilNul(beginning.subarray(first.length + 1))
  switch (String.fromCharCode(type)) {
    case 'Q':
      return { kind: 'query', sql: captureSql(first, cut) }
    case 'P':
      return { kind: 'parse', name: nameOf(first), sql: captureSql(second, cut), oids: [] }
    case 'B':
      return { kind: 'bind', portal: nameOf(first), statement: nameOf(second), message: undefined, cut, bytes: 0 }
    case 'F':
      return { kind: 'function-call', message: undefined, cut }
    default:
      return undefined
  }
}

function nameOf(name: Buffer): string {
  return name.toString('latin1')
}
