import { randomUUID } from 'node:crypto'
import type { WebSocket } from 'ws'
import type { AgentDouble } from './agent.ts'
import { Faults } from './faults.ts'
import { buildFrame, ProtocolFault, parseExactly } from './frames.ts'
import type { SessionSpec } from './work.ts'

const uuid4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const tokenMs = 60_000
/** Above it the agent's writes block, and so does its reading. */
const mostUnsentBytes = 512 * 1024

/** One session as the gateway knows it: its tokens, its client's websocket, its agent. */
export class GatewaySession {
  readonly sessionId: string
  readonly agent: AgentDouble
  readonly #target: string
  /** Each good for one opening. */
  readonly #tokens = new Map<string, number>()
  #client: WebSocket | undefined
  #clientId: string | undefined
  /** For a client that is not there. */
  #queue: Buffer[] = []
  /** Epoch milliseconds; null: it goes on. */
  overAt: number | null = null
  /** What the client did that gateway or agent would refuse. */
  readonly faults: string[] = []
  /** Websockets that opened with a valid token. */
  opened = 0
  readonly up: Faults
  readonly down: Faults

  constructor(sessionId: string, spec: SessionSpec, startAgent: (send: (bytes: Buffer) => void) => AgentDouble) {
    this.sessionId = sessionId
    this.#target = spec.target
    this.up = new Faults((bytes) => this.agent.receive(bytes))
    this.down = new Faults((bytes) => this.#toClient(bytes))
    this.agent = startAgent((bytes) => this.down.pass(bytes))
    this.agent.isBlocked = () => (this.#client?.bufferedAmount ?? 0) > mostUnsentBytes
    this.agent.onFault = (fault) => this.faults.push(fault.message)
    this.agent.onEnd = (output) => this.terminate(output)
    this.agent.start()
  }

  issueToken(): string | undefined {
    if (this.overAt !== null) return undefined
    const token = randomUUID()
    this.#tokens.set(token, Date.now() + tokenMs)
    return token
  }

  expireTokens(): void {
    for (const token of this.#tokens.keys()) this.#tokens.set(token, 0)
  }

  attach(socket: WebSocket): void {
    socket.on('error', () => {})
    socket.once('message', (data, isBinary) => {
      try {
        this.#open(data as Buffer, isBinary)
      } catch (error) {
        if (!(error instanceof ProtocolFault)) throw error
        this.faults.push(error.message)
        socket.close(1008, 'refused')
        return
      }
      this.opened += 1
      this.#client?.terminate()
      this.#client = socket
      socket.on('message', (more, isMoreBinary) => this.#fromClient(more as Buffer, isMoreBinary))
      socket.once('close', () => {
        if (this.#client === socket) this.#client = undefined
      })
      for (const bytes of this.#queue.splice(0)) socket.send(bytes)
    })
  }

  /** @throws ProtocolFault */
  #open(data: Buffer, isBinary: boolean): void {
    if (isBinary) throw new ProtocolFault('the first message is not text')
    const members = ['MessageSchemaVersion', 'RequestId', 'TokenValue', 'ClientId', 'ClientVersion']
    const open = parseExactly(data.toString(), members, 'OpenDataChannel')
    const { MessageSchemaVersion: schema, RequestId: request, TokenValue: token, ClientId: client } = open
    if (schema !== '1.0') throw new ProtocolFault('OpenDataChannel of another schema')
    if (!uuid4.test(String(request))) throw new ProtocolFault('RequestId is not a UUID of version 4')
    if (!uuid4.test(String(client))) throw new ProtocolFault('ClientId is not a UUID of version 4')
    const until = this.#tokens.get(String(token))
    if (until === undefined) throw new ProtocolFault('the token is unknown or was used before')
    if (until <= Date.now()) throw new ProtocolFault('the token has expired')
    this.#tokens.delete(String(token))
    this.#clientId ??= String(client)
    if (client !== this.#clientId) throw new ProtocolFault('ClientId has changed')
    if (!/^\d+\.\d+\.\d+\.\d+$/.test(String(open.ClientVersion))) throw new ProtocolFault('invalid ClientVersion')
  }

  #fromClient(data: Buffer, isBinary: boolean): void {
    if (isBinary) this.up.pass(data)
    else this.faults.push('a text message after the first')
  }

  #toClient(bytes: Buffer): void {
    if (this.#client) this.#client.send(bytes)
    else this.#queue.push(bytes)
  }

  /** The network is lost. What was on its way to the client is, too. */
  cut(): void {
    this.#client?.terminate()
  }

  /** The network is gone without a word: nothing is answered any more, not even pings. */
  freeze(): void {
    this.#client?.pause()
  }

  /** What the service does about every hour; the session goes on. */
  bye(): void {
    this.#client?.close(1000, 'Bye')
  }

  /** To the client: the agent is away, or back. */
  publication(type: 'pause_publication' | 'start_publication'): void {
    this.#service(type, ' ')
  }

  /** Any bytes, as if the service sent them. */
  inject(bytes: Buffer): void {
    this.#toClient(bytes)
  }

  /** The session is over. @param output what the person is told */
  terminate(output = ''): void {
    if (this.overAt !== null) return
    this.overAt = Date.now()
    this.agent.stop()
    const closed = {
      MessageId: randomUUID(),
      CreatedDate: String(Date.now()),
      DestinationId: this.#target,
      SessionId: this.sessionId,
      MessageType: 'channel_closed',
      SchemaVersion: 1,
      Output: output,
    }
    this.#service('channel_closed', JSON.stringify(closed))
  }

  #service(type: string, payload: string): void {
    const frame = { type, sequence: 0, flags: 3, id: randomUUID(), payloadType: 0, payload: Buffer.from(payload) }
    this.#toClient(buildFrame(frame, Date.now()))
  }

  get isAttached(): boolean {
    return this.#client !== undefined
  }

  stop(): void {
    this.overAt ??= Date.now()
    this.agent.stop()
    this.up.stop()
    this.down.stop()
    this.#client?.terminate()
  }
}
