import type { TextCapture } from '../../recording/text-capture.ts'
import { decodeBind, decodeFrontend, decodeFunctionCall, decodeParse, decodeQuery } from '../../wire/postgres/decode.ts'
import { BoundValues } from './bound-values.ts'
import { nameOf } from './names.ts'
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
export function readClientMessage(type: number, body: Buffer, capture: TextCapture): ClientMessage | undefined {
  switch (String.fromCharCode(type)) {
    case 'Q':
      return { kind: 'query', sql: capture.sql(decodeQuery(body)) }
    case 'P': {
      const { statement, sql, oids } = decodeParse(body)
      return { kind: 'parse', name: nameOf(statement), sql: capture.sql(sql), oids }
    }
    case 'B': {
      const { portal, statement, formats, values } = decodeBind(Buffer.from(body))
      const bound = new BoundValues(formats, values, capture)
      return { kind: 'bind', portal: nameOf(portal), statement: nameOf(statement), values: bound, bytes: body.length }
    }
    case 'F': {
      const { oid, formats, values } = decodeFunctionCall(Buffer.from(body))
      return { kind: 'function-call', oid, values: new BoundValues(formats, values, capture) }
    }
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
