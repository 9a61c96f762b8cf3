import type { Socket } from 'node:net'
import type { ClientOrigin } from '../../session.ts'
import { readRequestFields } from '../../wire/http1/request-head.ts'
import { bearerToken, passedHeaders } from '../headers.ts'
import type { ClientHeaders } from '../parts.ts'

/** What the fields of a request say. */
export interface ClientFields {
  /** The bytes that they were read from. */
  readonly bytes: Buffer
  readonly token: string
  readonly origin: ClientOrigin
  /** For the cluster, each with its line end; without the broker's own. */
  readonly passed: string
  readonly userAgent: string
  readonly command: string
}

/**
 * @param bytes with the empty line
 * @returns null: they are not in the plain form
 * @throws BrokerError for what no request may have
 */
export function readClientFields(
  bytes: Buffer,
  socket: Socket,
  originOf: (request: ClientHeaders) => ClientOrigin,
): ClientFields | null {
  const raw = readRequestFields(bytes)
  if (!raw) return null
  const forwarded = valuesOf(raw, 'x-forwarded-for')
  const headers = forwarded.length === 0 ? {} : { 'x-forwarded-for': forwarded.join(', ') }
  const lines = passedHeaders(raw)
  let passed = ''
  for (let i = 0; i < lines.length; i += 2) passed += `${lines[i]}: ${lines[i + 1]}\r\n`
  return {
    bytes: Buffer.from(bytes), // a copy: what came lies in a larger buffer
    token: bearerToken(raw),
    origin: originOf({ headers, socket }),
    passed,
    userAgent: valuesOf(raw, 'user-agent')[0] ?? '',
    command: valuesOf(raw, 'kubectl-command')[0] ?? '',
  }
}

function valuesOf(raw: readonly string[], name: string): string[] {
  return raw.filter((_, i) => i % 2 === 1 && raw[i - 1]?.toLowerCase() === name)
}
