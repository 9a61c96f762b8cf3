/** A protocol port for the tests: the real listener and sign-in, a doorman who knows one token, and a scripted ending. */
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectTcp, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createSecureContext } from 'node:tls'
import type { Test } from 'tap'
import type { Claim, Doorman, Identity } from '../../../proxy/doorman.ts'
import { type Listener, listenTcp } from '../../../proxy/ports/listener.ts'
import { errorResponse } from '../../../proxy/postgres/errors.ts'
import type { PostgresClient } from '../../../proxy/postgres/sign-in/client.ts'
import { type Received, receiveFromPort } from '../../../proxy/postgres/sign-in/downstream.ts'
import type { PortOptions } from '../../../proxy/relay/protocol.ts'
import { BrokerError, type ErrorCode } from '../../../proxy/session.ts'
import { endWith } from '../../../proxy/streams/farewell.ts'
import { decodeErrorFields } from '../../../proxy/wire/postgres/decode.ts'
import type { ErrorFields } from '../../../proxy/wire/postgres/messages.ts'
import { deriveScramKeys } from '../../../proxy/wire/postgres/scram.ts'
import { createAuthority } from '../../sandbox/certificates.ts'
import { scriptedDoorman } from '../relay/scripted-doorman.ts'

export const tokenId = '0123456789abcdef'
export const token = `spt_${tokenId}_s3cret-0123456789abcdefghij`
export const resourceId = 'rds-postgres/111122223333/eu-west-1/orders'
export const identity: Identity = {
  principalId: 'prn_alice',
  name: 'alice@example.com',
  credential: { kind: 'connect-token', id: tokenId },
  bound: { grantId: 'grt_1', resourceId, level: 'readonly' },
}
const unasked = () => {
  throw new Error('not asked here')
}
/** What psql shows when it came through. */
export const scriptedEnd = 'the sandbox ends here'

export interface Port {
  readonly listener: Listener
  /** PEM file of the root that signed the port's certificate. */
  readonly caFile: string
  readonly ca: string
  readonly received: Received[]
  readonly claims: Claim[]
  readonly failures: ErrorCode[]
  readonly refused: BrokerError[]
  /** `kind phase`, of each that was measured. */
  readonly phases: string[]
  readonly open: () => number
}

export interface Script {
  readonly options?: Partial<PortOptions> & { readonly signInMs?: number }
  identify?(claim: Claim): Promise<Identity>
  onClient?(client: PostgresClient): void
}

export async function openPort(t: Test, script: Script = {}): Promise<Port> {
  const authority = createAuthority()
  const secureContext = createSecureContext({ ...authority.issue(['localhost', '127.0.0.1']), minVersion: 'TLSv1.2' })
  const seen = { received: [] as Received[], claims: [] as Claim[], failures: [] as ErrorCode[] }
  const [refused, phases] = [[] as BrokerError[], [] as string[]]
  const doorman: Doorman = {
    ...scriptedDoorman({ kind: 'rds-postgres', engine: unasked, lease: unasked }).host.doorman,
    tokenKeys: async (id) => ({
      scram: deriveScramKeys(id === tokenId ? token : 'nobody', Buffer.alloc(16, id)),
      doubleSha256: new Uint8Array(32),
    }),
    identify: async (claim) => {
      seen.claims.push(claim)
      if (script.identify) return script.identify(claim)
      if (claim.by === 'token' && claim.token !== token) throw new BrokerError('TOKEN_INVALID', 'no such token')
      return identity
    },
    refused: (_ask, error) => seen.failures.push(error.code),
    unidentifiedClientFailed: (code) => seen.failures.push(code),
    phase: (kind, phase) => phases.push(`${kind} ${phase}`),
  }
  const parts = {
    host: { doorman },
    onRefused: (error: BrokerError) => refused.push(error),
    ...(script.options?.signInMs === undefined ? {} : { signInMs: script.options.signInMs }),
  }
  const options = { secureContext: () => secureContext, ...script.options }
  const end =
    script.onClient ?? (({ stream }) => endWith(stream, errorResponse(new BrokerError('DRAINING', scriptedEnd))))
  const listener = await listenTcp({
    host: '127.0.0.1',
    port: 0,
    onError: (error) => t.fail(error),
    onConnection: async (socket, client, signedIn) => {
      const received = await receiveFromPort(parts, socket, client, options)
      if (!received) return
      signedIn()
      seen.received.push(received)
      if (received.kind === 'client') end(received.client)
      else endWith(received.stream)
    },
  })
  t.teardown(() => {
    listener.close()
    listener.drop()
  })
  const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-port-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const caFile = path.join(folder, 'ca.crt')
  writeFileSync(caFile, authority.cert)
  return { listener, caFile, ca: authority.cert, ...seen, refused, phases, open: () => listener.openCount }
}

/** A bare connection to the port. */
export async function connect(t: Test, port: Port): Promise<Socket> {
  const socket = connectTcp({ host: '127.0.0.1', port: port.listener.port, noDelay: true })
  socket.on('error', () => {})
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

/** Everything up to the end. */
export async function readAll(stream: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(stream, 'close')
  return Buffer.concat(chunks)
}

/** Fields of the one ErrorResponse that `bytes` are. */
export function readError(bytes: Buffer): ErrorFields {
  if (bytes.toString('latin1', 0, 1) !== 'E' || bytes.readUInt32BE(1) !== bytes.length - 1)
    throw new Error(`not one ErrorResponse: ${JSON.stringify(bytes.toString('latin1'))}`)
  return decodeErrorFields(bytes.subarray(5))
}
