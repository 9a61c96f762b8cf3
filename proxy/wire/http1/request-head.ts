/** Heads of requests that only read, in the plain form of HTTP/1.1 (RFC 9112) that clients write. Anything else is for a full parser. */
import { readFields } from './fields.ts'

/** Longest head that is read here. */
const mostBytes = 16 * 1024
const emptyLine = Buffer.from('\r\n\r\n')
const requestLine = /^(GET|HEAD) (\/[!-~]*) HTTP\/1\.1$/

export interface ReadRequest {
  readonly method: 'GET' | 'HEAD'
  /** In origin form. */
  readonly url: string
  /** Of its fields, in the bytes that were read. */
  readonly fieldsAt: number
  /** Where its head, and as it has no body the request, ends. */
  readonly end: number
}

/** @returns null: it is not such a head, or not all of it is there */
export function readRequest(bytes: Buffer): ReadRequest | null {
  const last = bytes.indexOf(emptyLine)
  if (last < 0 || last > mostBytes) return null
  const lineEnd = bytes.indexOf('\r\n')
  const [, method, url = ''] = requestLine.exec(bytes.toString('latin1', 0, lineEnd)) ?? []
  if (method === undefined) return null
  return { method: method as ReadRequest['method'], url, fieldsAt: lineEnd + 2, end: last + emptyLine.length }
}

/** Fields that frame a body, or ask for another protocol or another kind of answer. */
const framing = ['content-length', 'transfer-encoding', 'upgrade', 'expect', 'te', 'trailer']

/**
 * The fields of such a request, names and values by turns, as they came.
 * @param bytes of its fields, with the empty line
 * @returns null: they are not in the plain form, have or may have a body, do not keep the connection, or name no host or several
 */
export function readRequestFields(bytes: Buffer): string[] | null {
  const raw = readFields(bytes.toString('latin1', 0, bytes.length - 2), 'ascii')
  if (!raw) return null
  let hosts = 0
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase()
    if (name === 'host') hosts += 1
    if (framing.includes(name)) return null
    if (name === 'connection' && raw[i + 1]?.toLowerCase() !== 'keep-alive') return null
  }
  return hosts === 1 ? raw : null
}
