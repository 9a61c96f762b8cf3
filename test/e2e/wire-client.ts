/** PostgreSQL's first messages by hand, so that a test can get them wrong (PostgreSQL documentation, "Message Formats"). */
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { createWebSocketStream, WebSocket } from 'ws'
import type { AccountName } from '../sandbox/oidc/accounts.ts'
import type { Company } from './company.ts'

export type ErrorFields = Readonly<Record<string, string>>

export const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])

/** StartupMessage of protocol 3.0 with these pairs, in this order, as often as they come. */
export function startup(...pairs: readonly (readonly [string, string])[]): Buffer {
  const text = `${pairs.map(([key, value]) => `${key}\0${value}\0`).join('')}\0`
  const head = Buffer.alloc(8)
  head.writeUInt32BE(8 + Buffer.byteLength(text), 0)
  head.writeUInt32BE(0x30000, 4)
  return Buffer.concat([head, Buffer.from(text)])
}

/** A plain connection to the broker's own port. */
export async function dialPort({ daemon }: Company): Promise<Duplex> {
  const socket = connectTcp({ host: '127.0.0.1', port: daemon.postgresPort })
  await once(socket, 'connect')
  return socket
}

/** The same, past SSLRequest and the handshake. */
export async function dialTls(company: Company): Promise<Duplex> {
  const socket = await dialPort(company)
  socket.write(sslRequest)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  if (answer.toString() !== 'S') throw new Error(`expected S in answer to SSLRequest, got ${answer.toString('hex')}`)
  const tls = connectTls({ socket, ca: company.sandbox.authority.cert, servername: 'localhost' })
  await once(tls, 'secureConnect')
  return tls
}

/** As the local proxy does: signed in already. */
export async function dialWebsocket(company: Company, person: AccountName, query: string): Promise<Duplex> {
  const { daemon } = company
  const url = `${daemon.url.replace('http', 'ws')}/api/v1/connect/postgres?${query}`
  const socket = new WebSocket(url, { headers: { cookie: company.cookie(person), origin: daemon.url } })
  await once(socket, 'open')
  return createWebSocketStream(socket)
}

/** All that comes until the other side ends it. @throws Error when it doesn't, within 5 s */
export async function untilClosed(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  stream.on('error', () => {}) // a reset is an end too
  const signal = AbortSignal.timeout(5000)
  await Promise.race([once(stream, 'end', { signal }), once(stream, 'close', { signal })])
  stream.destroy()
  return Buffer.concat(chunks)
}

/** Fields of the ErrorResponse with which an answer ends. @throws Error when there is none */
export function errorIn(answer: Buffer): ErrorFields {
  for (let at = 0; at + 5 <= answer.length; at += 1 + answer.readUInt32BE(at + 1)) {
    if (answer.toString('latin1', at, at + 1) !== 'E') continue
    const fields = answer.toString('utf8', at + 5, at + 1 + answer.readUInt32BE(at + 1)).split('\0')
    return Object.fromEntries(fields.filter(Boolean).map((field) => [field.charAt(0), field.slice(1)]))
  }
  throw new Error(`no ErrorResponse in ${JSON.stringify(answer.toString('latin1'))}`)
}
