/** A protocol port for the tests: the real listener, a doorman who knows one token, and the sign-in of a protocol. */
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectTcp, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createSecureContext } from 'node:tls'
import type { Test } from 'tap'
import type { Claim, Doorman, Identity } from '../../../proxy/doorman.ts'
import { type Listener, listenTcp } from '../../../proxy/ports/listener.ts'
import type { PortOptions } from '../../../proxy/relay/protocol.ts'
import type { ReceivingParts } from '../../../proxy/relay/receive-client.ts'
import { BrokerError, type ClientOrigin, type ErrorCode } from '../../../proxy/session.ts'
import { createAuthority } from '../../sandbox/certificates.ts'
import { scriptedDoorman } from './scripted-doorman.ts'

export const tokenId = '0123456789abcdef'
export const token = `spt_${tokenId}_s3cret-0123456789abcdefghij`

export function identityFor(resourceId: string): Identity {
  return {
    principalId: 'prn_alice',
    name: 'alice@example.com',
    credential: { kind: 'connect-token', id: tokenId },
    bound: { grantId: 'grt_1', resourceId, level: 'readonly' },
  }
}

const unasked = () => {
  throw new Error('not asked here')
}
/** What clients show when they came through. */
export const scriptedEnd = 'the sandbox ends here'

export interface SignInPort<Received> {
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

export interface SignInScript {
  readonly options?: Partial<PortOptions> & { readonly signInMs?: number }
  identify?(claim: Claim): Promise<Identity>
}

/** What a protocol adds. */
export interface PortProtocol<Received> {
  readonly kind: string
  readonly identity: Identity
  readonly tokenKeys: Doorman['tokenKeys']
  receive(
    parts: ReceivingParts,
    socket: Socket,
    client: ClientOrigin,
    options: PickedOptions,
  ): Promise<Received | undefined>
  /** Ends what was received. */
  end(received: Received): void
}

type PickedOptions = Pick<PortOptions, 'secureContext' | 'resourceId'>

export async function openSignInPort<Received>(
  t: Test,
  { kind, identity, tokenKeys, receive, end }: PortProtocol<Received>,
  script: SignInScript,
): Promise<SignInPort<Received>> {
  const authority = createAuthority()
  const secureContext = createSecureContext({ ...authority.issue(['localhost', '127.0.0.1']), minVersion: 'TLSv1.2' })
  const seen = { received: [] as Received[], claims: [] as Claim[], failures: [] as ErrorCode[] }
  const [refused, phases] = [[] as BrokerError[], [] as string[]]
  const doorman: Doorman = {
    ...scriptedDoorman({ kind, engine: unasked, lease: unasked }).host.doorman,
    tokenKeys,
    identify: async (claim) => {
      seen.claims.push(claim)
      if (script.identify) return script.identify(claim)
      if (claim.by === 'token' && claim.token !== token) throw new BrokerError('TOKEN_INVALID', 'no such token')
      return identity
    },
    refused: (_ask, error) => seen.failures.push(error.code),
    unidentifiedClientFailed: (code) => seen.failures.push(code),
    phase: (measured, phase) => phases.push(`${measured} ${phase}`),
  }
  const parts = {
    host: { doorman },
    onRefused: (error: BrokerError) => refused.push(error),
    ...(script.options?.signInMs === undefined ? {} : { signInMs: script.options.signInMs }),
  }
  const options = { secureContext: () => secureContext, ...script.options }
  const listener = await listenTcp({
    host: '127.0.0.1',
    port: 0,
    onError: (error) => t.fail(error),
    onConnection: async (socket, client, signedIn) => {
      const received = await receive(parts, socket, client, options)
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
export async function connect(t: Test, { listener }: Pick<SignInPort<unknown>, 'listener'>): Promise<Socket> {
  const socket = connectTcp({ host: '127.0.0.1', port: listener.port, noDelay: true })
  socket.on('error', () => {})
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}
