/** The echo protocol before a target that can misbehave, on a port of its own. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { createSecureContext } from 'node:tls'
import type { Test } from 'tap'
import type { Identity } from '../../../proxy/doorman.ts'
import { direct } from '../../../proxy/reach/direct.ts'
import { Trust } from '../../../proxy/reach/trust.ts'
import { BrokerError } from '../../../proxy/session.ts'
import { waitUntil } from '../../wait-until.ts'
import { createEcho, type EchoRules } from './echo-protocol.ts'
import { identity, origin, scriptedDoorman } from './scripted-doorman.ts'

export const resourceId = 'echo/111122223333/eu-west-1/orders'
export const token = 'a right one'
const bound: Identity = { ...identity, bound: { grantId: 'grt_1', resourceId, level: 'readonly' } }

export interface EchoTarget {
  readonly port: number
  readonly sockets: ReadonlySet<Socket>
  /** Every line it heard, with the secret first. */
  readonly lines: string[]
  /** It accepts, and never says that it is ready. */
  isMute: boolean
}

/**
 * Answers each line with `echo: LINE`. Lines that it takes otherwise: `slow` (no answer), `half` (half of one, and no more), `die`, `bye`.
 */
export async function startEchoTarget(t: Pick<Test, 'teardown'>): Promise<EchoTarget> {
  const sockets = new Set<Socket>()
  const target = { port: 0, sockets, lines: [] as string[], isMute: false }
  const answer = (socket: Socket, line: string): void => {
    target.lines.push(line)
    if (line === 'the secret') {
      if (!target.isMute) socket.write('ready\n')
    } else if (line === 'half') socket.write('echo: ha')
    else if (line === 'die') socket.destroy()
    else if (line === 'bye' || line === 'quit') socket.end('bye\n')
    else if (line !== 'slow' && line !== 'cancel') socket.write(`echo: ${line}\n`)
  }
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}))
    socket.once('close', () => sockets.delete(socket))
    let text = ''
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (text + chunk).split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) answer(socket, line)
    })
  })
  t.teardown(() => closeAll(server, sockets))
  target.port = await listen(server)
  return target
}

export async function startEcho(t: Pick<Test, 'teardown'>, options: { idleTimeoutMs?: number } = {}) {
  const target = await startEchoTarget(t)
  const rules: { current: EchoRules; isStrict: boolean } = { current: { maxLines: 0 }, isStrict: false }
  const address = { host: '127.0.0.1', port: target.port }
  const leases = { taken: 0 }
  const scripted = scriptedDoorman({
    ...options,
    kind: 'echo',
    engine: () => ({
      address: { ...address },
      serverName: 'echo.example',
      ca: null,
      isRecordingStrict: rules.isStrict,
      rules: rules.current,
    }),
    lease: async () => {
      leases.taken += 1
      return { user: 'echo_ro', secret: 'the secret', expiresAt: Date.now() + 600_000 }
    },
    identify: async (claim) => {
      if (claim.by === 'token' && claim.token === token) return bound
      throw new BrokerError('TOKEN_INVALID')
    },
  })
  const { host, errors, seen } = scripted
  const refused: BrokerError[] = []
  /** What the broker looks up for the client's `own` lines. */
  const own = { lookUp: async (word: string) => `own: ${word}` }
  const parts = {
    host,
    reach: direct,
    trust: new Trust(),
    onError: (error: unknown) => errors.push(error),
    onRefused: (error: BrokerError) => refused.push(error),
    now: () => Date.now(),
    signInMs: 2000,
  }
  const protocol = createEcho(parts, (word) => own.lookUp(word))
  const sockets = new Set<Socket>()
  const signedIn = { count: 0 }
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}))
    socket.once('close', () => sockets.delete(socket))
    void protocol.servePort(
      socket,
      { ...origin, via: 'listener', port: socket.remotePort ?? 0 },
      {
        secureContext: () => createSecureContext(),
        signedIn: () => {
          signedIn.count += 1
        },
      },
    )
  })
  t.teardown(() => closeAll(server, sockets))
  const port = await listen(server)
  return {
    ...scripted,
    protocol,
    target,
    address,
    rules,
    own,
    leases,
    refused,
    signedIn,
    sockets,
    open: (first = `${token}\n`) => openClient(t, port, first),
    ended: (count: number) => waitUntil(() => seen.ends.length >= count, `${count} sessions ended`),
  }
}

async function openClient(t: Pick<Test, 'teardown'>, port: number, first: string) {
  const socket = connect({ port, host: '127.0.0.1' })
  t.teardown(() => socket.destroy())
  const client = { text: '' }
  socket.on('error', () => {}).setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    client.text += chunk
  })
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.write(first)
  const hears = (text: string) =>
    waitUntil(
      () => client.text.includes(text),
      () => `${text} in ${JSON.stringify(client.text)}`,
    )
  return {
    socket,
    closed,
    hears,
    heard: () => client.text,
    say: (...lines: string[]) => void socket.write(lines.map((line) => `${line}\n`).join('')),
  }
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

function closeAll(server: Server, sockets: ReadonlySet<Socket>): void {
  server.close()
  for (const socket of sockets) socket.destroy()
}
