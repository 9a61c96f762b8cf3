/**
 * A whole engine with its two listeners, between a hostile client and an honest target, or an honest client and a hostile target.
 * Everything is real but the doorman, who lets in whom he is asked about, and the databases, which are played.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createSecureContext } from 'node:tls'
import { direct } from '../../../proxy/reach/direct.ts'
import { Trust } from '../../../proxy/reach/trust.ts'
import type { Protocol, ProtocolParts } from '../../../proxy/relay/protocol.ts'
import { BrokerError } from '../../../proxy/session.ts'
import { identity, origin, scriptedDoorman } from '../../proxy/relay/scripted-doorman.ts'
import { createAuthority } from '../../sandbox/certificates.ts'
import { waitUntil } from '../../wait-until.ts'
import { type Input, piecesOf, toLine } from './input.ts'

/** A target that is honest until a test has it say something. */
export interface PlayedTarget {
  readonly port: number
  readonly serverName: string
  readonly ca: string
  readonly sockets: ReadonlySet<Socket>
  /** From this stage on `say` has the connection. Null: honest. */
  turn(hostile: { readonly stage: string; say(stream: Duplex): void } | null): void
  close(): void
}

/** One engine, as the fuzzer needs it. */
export interface Speaker {
  readonly kind: string
  readonly rules: object
  create(parts: ProtocolParts): Protocol
  startTarget(): Promise<PlayedTarget>
  /** Stages of a hostile client. @returns the stream that its bytes go to */
  readonly clients: Readonly<Record<string, (house: Ports) => Promise<Duplex>>>
  /** Signs in behind the local proxy, and asks for something. */
  askHonestly(ports: Ports): Promise<Socket>
}

export interface Ports {
  /** The protocol port, with TLS. */
  readonly tls: number
  /** What a websocket carries: no TLS, and the client is known. */
  readonly known: number
  readonly ca: string
}

export interface House {
  /** @throws Error when something hangs, fails in a way of its own, or takes room */
  run(input: Input): Promise<void>
  close(): void
}

const signInMs = 5000
const connectMs = 5000
/**
 * Each side says all it has and hangs up, so nothing here has to wait for a deadline: not that of a sign-in or of a way to the target, nor
 * the 2 s that a client has for its last bytes. A run takes milliseconds; what takes longer than all those together hangs.
 */
const withinMs = signInMs + connectMs + 5000
const mostBytes = 64 * 1024 * 1024

export async function openHouse(speaker: Speaker): Promise<House> {
  const { kind, rules } = speaker
  const target = await speaker.startTarget()
  const resourceId = `${kind}/111122223333/eu-west-1/orders`
  const scripted = scriptedDoorman({
    kind,
    engine: () => ({
      address: { host: '127.0.0.1', port: target.port },
      serverName: target.serverName,
      ca: target.ca,
      isRecordingStrict: false,
      connectTimeoutMs: connectMs,
      rules,
    }),
    lease: async () => ({ user: 'anyone', secret: 'a token', expiresAt: Date.now() + 600_000 }),
    identify: async () => ({ ...identity, bound: { grantId: 'grt_1', resourceId, level: 'readonly' } }),
  })
  const { seen, host, errors } = scripted
  Object.assign(host.doorman, {
    tokenKeys: async () => ({
      scram: { salt: Buffer.alloc(16), iterations: 4096, storedKey: Buffer.alloc(32), serverKey: Buffer.alloc(32) },
      doubleSha256: Buffer.alloc(32),
    }),
  })
  const protocol = speaker.create({
    host,
    reach: direct,
    trust: new Trust(),
    onError: (error) => errors.push(error),
    onRefused: (error) => errors.push(error),
    now: () => Date.now(),
    signInMs,
  })
  const authority = createAuthority()
  const secureContext = createSecureContext(authority.issue(['localhost', '127.0.0.1']))
  const sockets = new Set<Socket>()
  const listen = async (serve: (socket: Socket) => Promise<unknown>): Promise<Server> => {
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => {}))
      socket.once('close', () => sockets.delete(socket))
      void serve(socket)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return server
  }
  const client = (socket: Socket) => ({ ...origin, port: socket.remotePort ?? 0 })
  const withTls = await listen((socket) =>
    protocol.servePort(socket, client(socket), { secureContext: () => secureContext, signedIn: () => {} }),
  )
  const known = await listen((socket) => protocol.serveStream(socket, { identity, resourceId, client: client(socket) }))
  const portOf = (server: Server) => (server.address() as AddressInfo).port
  const ports: Ports = { tls: portOf(withTls), known: portOf(known), ca: authority.cert }
  const bytesNow = () => process.memoryUsage().arrayBuffers
  const before = bytesNow()

  const openSockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
  const openBefore = openSockets()

  const isQuiet = () => sockets.size === 0 && openSockets() <= openBefore && seen.ends.length === seen.asks.length
  const forget = () => {
    for (const list of [seen.asks, seen.ends, seen.entries, seen.details, seen.targets, seen.unidentified, errors])
      list.length = 0
  }

  return {
    run: async (input) => {
      const fail = (what: string): never => {
        throw new Error(`${what}: ${toLine(input)}`)
      }
      const [side, stage] = split(input.stage)
      const socket = await (side === 'client'
        ? attack(speaker, ports, stage, input)
        : ask(speaker, ports, target, stage, input))
      await waitUntil(
        () => socket.closed,
        () => fail('the client is not let go'),
        withinMs,
        1,
      )
      target.turn(null)
      await waitUntil(isQuiet, () => fail('something is left open'), withinMs, 1)
      const codes = [...seen.unidentified, ...seen.ends.map(({ error }) => error?.code)]
      if (codes.includes('INTERNAL')) fail('a failure of our own')
      const odd = errors.find((error) => !(error instanceof BrokerError) || error.code === 'INTERNAL')
      if (odd) fail(`a failure of our own (${odd instanceof Error ? (odd.stack ?? odd.message) : String(odd)})`)
      if (bytesNow() - before > mostBytes) fail('it takes room')
      forget()
    },
    close: () => {
      withTls.close()
      known.close()
      for (const socket of sockets) socket.destroy()
      target.close()
    },
  }
}

function split(stage: string): [side: string, stage: string] {
  const at = stage.indexOf('-')
  return [stage.slice(0, at), stage.slice(at + 1)]
}

/** Says it all, piece by piece, and hangs up. @returns the connection itself */
async function attack(speaker: Speaker, ports: Ports, stage: string, input: Input): Promise<Socket> {
  const open = speaker.clients[stage]
  if (!open) throw new Error(`no stage of a client: ${stage}`)
  const stream = await open(ports)
  stream.on('error', () => {}).resume()
  await sayAll(stream, input)
  stream.end()
  return bottomOf(stream)
}

async function ask(speaker: Speaker, ports: Ports, target: PlayedTarget, stage: string, input: Input): Promise<Socket> {
  target.turn({ stage, say: (stream) => void sayAll(stream, input).then(() => stream.end()) })
  const socket = await speaker.askHonestly(ports)
  return socket.on('error', () => {}).resume()
}

async function sayAll(stream: Duplex, input: Input): Promise<void> {
  for (const piece of piecesOf(input)) {
    if (stream.destroyed) return
    stream.write(piece)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

const bottoms = new WeakMap<Duplex, Socket>()

/** For streams on top of a socket. */
export function onTopOf<T extends Duplex>(stream: T, socket: Socket): T {
  bottoms.set(stream, socket)
  stream.once('error', () => socket.destroy())
  return stream
}

function bottomOf(stream: Duplex): Socket {
  return bottoms.get(stream) ?? (stream as Socket)
}
