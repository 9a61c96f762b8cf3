/**
 * Tunnels at the speed of the sandbox's agents: 1,024 bytes in a message and a pause of a millisecond after each. The peer of uploads is a
 * client that pauses as the plugin does, on the same link. What takes an upload is in another thread, as it is on another machine.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { makePermit } from '../../../proxy/permit.ts'
import { viaSsm } from '../../../proxy/reach/via-ssm.ts'
import type { PermitFields } from '../../../proxy/session.ts'
import type { ChannelOptions } from '../../../proxy/ssm/channel.ts'
import { PortSession } from '../../../proxy/ssm/smux-session.ts'
import { channelTicket } from '../../../src/aws/channel-ticket.ts'
import { type Gateway, makeKey, type StartedSession, startGateway } from '../../sandbox/ssm/gateway.ts'
import { quietFor } from '../../wait-until.ts'
import { type BenchOptions, gate, median, medianRatio, type Row } from '../rows.ts'
import { type Far, startFar } from './far.ts'

const messageBytes = 1024
/** Unacknowledged at most, by the channel's own bound. */
const windowKib = 256
/** Of a message: the lower half of its sequence number, and its payload. */
const [sequenceAt, headerBytes] = [52, 120]
const connections = 8
const loss = { drop: 0.3, duplicate: 0.3, reorder: 0.3 } as const
const target = 'i-0123456789abcdef0'
const host = 'localhost'
const never = new AbortController().signal

type Figures = Record<'paced' | 'upload' | 'window' | 'one' | 'many' | 'lossyUpload' | 'lossyDownload', number[]>

export async function measureLink({ rounds, seconds, note }: BenchOptions): Promise<Omit<Row, 'bench'>[]> {
  await using closing = new AsyncDisposableStack()
  const gateway = await startGateway()
  closing.defer(() => gateway.close())
  const link = new Link(gateway, startFar(closing), closing)
  const figures: Figures = {
    paced: [],
    upload: [],
    window: [],
    one: [],
    many: [],
    lossyUpload: [],
    lossyDownload: [],
  }
  for (let round = 1; round <= rounds; round += 1) {
    note(`tunnels: round ${round} of ${rounds}`)
    figures.paced.push(await link.upload(seconds, { isPaced: true }))
    figures.upload.push(await link.upload(seconds))
    figures.window.push(await link.unacknowledged())
    figures.one.push(await link.download(seconds, 1))
    figures.many.push(await link.download(seconds, connections))
    figures.lossyUpload.push(await link.upload(seconds, { isLossy: true }))
    figures.lossyDownload.push(await link.download(seconds, 1, true))
  }
  return rowsOf(figures)
}

function rowsOf({ paced, upload, window, one, many, lossyUpload, lossyDownload }: Figures): Omit<Row, 'bench'>[] {
  const unit = 'KiB/s'
  const row = (what: string, values: readonly number[], peer?: string, peers: readonly number[] = []) => ({
    case: what,
    unit,
    value: median(values),
    ...(peer === undefined ? {} : { peer, ratio: medianRatio(values, peers) }),
  })
  const uploaded = row('upload', upload, 'with the pauses of the plugin', paced)
  const most = Math.max(...window)
  const downloaded = row(`download by ${connections} connections`, many, 'by one', one)
  return [
    row('upload with the pauses of the plugin', paced),
    { ...uploaded, ...gate(uploaded.ratio ?? Number.NaN, 10, 'more') },
    {
      ...{ case: 'sent to an agent that acknowledges nothing', unit: 'KiB', value: most },
      ...gate(most, windowKib, 'less'),
    },
    row('download by one connection', one),
    { ...downloaded, ...gate(downloaded.ratio ?? Number.NaN, 4, 'more') },
    row('upload, 30 % dropped, doubled and late', lossyUpload, 'nothing lost', upload),
    row('download, 30 % dropped, doubled and late', lossyDownload, 'nothing lost', one),
  ]
}

interface UploadOptions {
  readonly isPaced?: boolean
  readonly isLossy?: boolean
}

class Link {
  readonly #gateway: Gateway
  readonly #closing: AsyncDisposableStack
  readonly #far: Far
  readonly #key = makeKey()

  constructor(gateway: Gateway, far: Far, closing: AsyncDisposableStack) {
    this.#gateway = gateway
    this.#far = far
    this.#closing = closing
    gateway.keys.push(this.#key)
  }

  async upload(seconds: number, { isPaced = false, isLossy = false }: UploadOptions = {}) {
    const port = await this.#openFar(isLossy)
    const stream = await port.open()
    await this.#far.ask('sunk', {})
    const chunk = Buffer.alloc(isPaced ? messageBytes : 64 * messageBytes)
    const since = performance.now()
    while (performance.now() < since + seconds * 1000) {
      if (!stream.write(chunk))
        await Promise.race([once(stream, 'drain'), quietFor(seconds * 1000, 'the end of the round')])
      if (isPaced) await quietFor(1, 'the plugin pauses after each message')
    }
    const received = await this.#far.ask('sunk', {})
    const kibPerSecond = received / 1024 / ((performance.now() - since) / 1000)
    stream.destroy()
    void port.close()
    return kibPerSecond
  }

  /** What is sent once the agent's acknowledgements are lost, KiB. */
  async unacknowledged(): Promise<number> {
    const sink = await this.#listen((socket) => void socket.resume())
    const { ticket, session } = this.#start(sink, false)
    const port = new PortSession({ ticket, expected: { portNumber: sink, type: 'LocalPortForwarding' } })
    const stream = await port.open()
    const sent = new Map<number, number>()
    session.down.script = (bytes) => (typeOf(bytes) === 'acknowledge' ? 0 : 1)
    session.up.script = (bytes) => {
      if (typeOf(bytes) === 'input_stream_data') sent.set(bytes.readUInt32BE(sequenceAt), bytes.length - headerBytes)
      return 1
    }
    stream.write(Buffer.alloc(8 * windowKib * 1024))
    let before = -1
    while (sent.size > before) {
      before = sent.size
      await quietFor(300, 'it sends no more')
    }
    stream.destroy()
    void port.close()
    return [...sent.values()].reduce((sum, length) => sum + length, 0) / 1024
  }

  async #openFar(isLossy: boolean): Promise<PortSession> {
    const portNumber = await this.#far.ask('sink', {})
    const started = await this.#far.ask('start', { spec: specOf(portNumber), ...(isLossy ? { loss } : {}) })
    const resume = () => this.#far.ask('resume', { sessionId: started.SessionId })
    return new PortSession({
      ticket: this.#tickets(started, resume),
      expected: { portNumber, type: 'LocalPortForwarding' },
    })
  }

  /** As `sallyport forward` goes: one grant, one port, any number of connections at once. */
  async download(seconds: number, count: number, isLossy = false): Promise<number> {
    const source = await this.#listen(flood)
    const tickets = new Map<string, ChannelOptions['ticket']>()
    const reach = viaSsm({
      tunnels: {
        openTunnel: async () => {
          const { ticket, session } = this.#start(source, isLossy)
          tickets.set(session.sessionId, ticket)
          const first = await ticket(never)
          if (!first) throw new Error('a new session is over already')
          return { tunnelId: session.sessionId, ticket: first }
        },
        tunnelTicket: async (id) => (await tickets.get(id)?.(never)) ?? null,
        endTunnel: async (id) => this.#gateway.session(id).terminate(),
      },
      onError: () => {},
      idleMs: 1,
    })
    const wires = await Promise.all(Array.from({ length: count }, () => reach.open(permitTo(source), never)))
    let received = 0
    for (const { stream } of wires) stream.on('data', ({ length }: Buffer) => (received += length))
    await quietFor(seconds * 1000, 'they download')
    const total = received
    for (const { reset } of wires) reset()
    return total / 1024 / seconds
  }

  #start(portNumber: string, isLossy: boolean) {
    const started = this.#gateway.start(specOf(portNumber))
    const session = this.#gateway.session(started.SessionId)
    if (isLossy) for (const way of [session.up, session.down]) Object.assign(way, loss)
    return { ticket: this.#tickets(started, () => this.#gateway.resume(started.SessionId)), session }
  }

  #tickets(started: StartedSession, resume: () => StartedSession | Promise<StartedSession>): ChannelOptions['ticket'] {
    let isFirst = true
    const credentials = { ...this.#key, expiresAt: Date.now() + 3_600_000 }
    return async () => {
      const { StreamUrl, TokenValue } = isFirst ? started : await resume()
      isFirst = false
      if (TokenValue === undefined) return null
      return channelTicket({ streamUrl: StreamUrl, token: TokenValue }, this.#gateway.region, credentials)
    }
  }

  /** @returns the port of a TCP server that agents alone dial */
  async #listen(serve: (socket: Socket) => void): Promise<string> {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      serve(socket)
    })
    server.listen(0, host)
    await once(server, 'listening')
    this.#closing.defer(() => void server.close())
    return String((server.address() as AddressInfo).port)
  }
}

function specOf(portNumber: string) {
  const properties = { host, portNumber, localPortNumber: '0', type: 'LocalPortForwarding' }
  return { target, sessionType: 'Port', properties } as const
}

function flood(socket: Duplex): void {
  const chunk = Buffer.alloc(16 * 1024, 'x')
  const more = () => {
    while (socket.writable && socket.write(chunk));
  }
  socket.on('drain', more)
  more()
}

function permitTo(port: string) {
  const place = { partition: 'aws', account: '111122223333', region: 'eu-west-1' }
  const via = { key: null, instances: [target], place, document: '', isSpread: true }
  const engine = { address: { host, port: Number(port) }, serverName: host, ca: null, via, rules: {} }
  const fields: Partial<PermitFields> = { kind: 'ec2-instance', grantId: 'grt_1', signal: never, engine }
  return makePermit(fields as PermitFields)
}

function typeOf(bytes: Buffer): string {
  return bytes.toString('latin1', 4, 36).trimEnd()
}
