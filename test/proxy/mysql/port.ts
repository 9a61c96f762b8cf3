/** A MySQL port for the tests: the real listener and sign-in, a doorman who knows one token, and a scripted ending. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectTcp, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createSecureContext } from 'node:tls'
import type { Test } from 'tap'
import type { Claim, Doorman, Identity } from '../../../proxy/doorman.ts'
import { Learnt } from '../../../proxy/mysql/learnt.ts'
import type { MysqlClient } from '../../../proxy/mysql/sign-in/client.ts'
import { receiveFromPort } from '../../../proxy/mysql/sign-in/downstream.ts'
import { type Listener, listenTcp } from '../../../proxy/ports/listener.ts'
import type { PortOptions } from '../../../proxy/relay/protocol.ts'
import { BrokerError, type ErrorCode } from '../../../proxy/session.ts'
import { endWith } from '../../../proxy/streams/farewell.ts'
import { createAuthority } from '../../sandbox/certificates.ts'
import { scriptedDoorman } from '../relay/scripted-doorman.ts'

export const tokenId = '0123456789abcdef'
export const token = `spt_${tokenId}_s3cret-0123456789abcdefghij`
export const resourceId = 'rds-mysql/111122223333/eu-west-1/orders'
export const identity: Identity = {
  principalId: 'prn_alice',
  name: 'alice@example.com',
  credential: { kind: 'connect-token', id: tokenId },
  bound: { grantId: 'grt_1', resourceId, level: 'readonly' },
}
export const threadId = 0x0102_0304
/** What clients show when they came through. */
export const scriptedEnd = 'the sandbox ends here'

const unasked = () => {
  throw new Error('not asked here')
}
const sha256 = (...parts: readonly (string | Buffer)[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()

/** As the store keeps it. */
export const doubleSha256 = (text: string) => sha256(sha256(text))

export interface Port {
  readonly listener: Listener
  /** PEM file of the root that signed the port's certificate. */
  readonly caFile: string
  readonly ca: string
  readonly received: MysqlClient[]
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
  onClient?(client: MysqlClient): void
}

export async function openPort(t: Test, script: Script = {}): Promise<Port> {
  const authority = createAuthority()
  const secureContext = createSecureContext({ ...authority.issue(['localhost', '127.0.0.1']), minVersion: 'TLSv1.2' })
  const seen = { received: [] as MysqlClient[], claims: [] as Claim[], failures: [] as ErrorCode[] }
  const [refused, phases] = [[] as BrokerError[], [] as string[]]
  const doorman: Doorman = {
    ...scriptedDoorman({ kind: 'rds-mysql', engine: unasked, lease: unasked }).host.doorman,
    tokenKeys: async (id) => ({
      scram: { salt: Buffer.alloc(16), iterations: 4096, storedKey: Buffer.alloc(32), serverKey: Buffer.alloc(32) },
      doubleSha256: Uint8Array.from(doubleSha256(id === tokenId ? token : 'of nothing')),
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
  const learnt = new Learnt()
  const parts = {
    host: { doorman },
    onRefused: (error: BrokerError) => refused.push(error),
    greet: () => ({ threadId, told: learnt.toldOf(undefined) }),
    ...(script.options?.signInMs === undefined ? {} : { signInMs: script.options.signInMs }),
  }
  const options = { secureContext: () => secureContext, ...script.options }
  const end =
    script.onClient ??
    (({ stream, words }) => endWith(stream, words.error(new BrokerError('TOO_MANY_SESSIONS', scriptedEnd))))
  const listener = await listenTcp({
    host: '127.0.0.1',
    port: 0,
    onError: (error) => t.fail(error),
    onConnection: async (socket, client, signedIn) => {
      const received = await receiveFromPort(parts, socket, client, options)
      if (!received) return
      signedIn()
      seen.received.push(received)
      end(received)
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
