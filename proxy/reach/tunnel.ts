import type { Duplex } from 'node:stream'
import type { Doorman, TunnelAsk } from '../doorman.ts'
import type { ChannelTicket } from '../session.ts'
import { PortSession } from '../ssm/smux-session.ts'
import { unlessAborted } from '../streams/abortable.ts'

/** The doorman's calls about tunnels. */
export type TunnelCalls = Pick<Doorman, 'openTunnel' | 'tunnelTicket' | 'endTunnel'>

export interface TunnelParts {
  readonly tunnels: TunnelCalls
  /** For the log: a tunnel whose end could not be told. */
  onError(error: unknown, sessionId: string): void
  /** A tunnel without connections is closed after it. */
  readonly idleMs?: number
  /** For one of several to take a connection, before another one gets it. */
  readonly besideMs?: number
}

const defaultIdleMs = 60_000
/** Agents send some 600 KiB a second, and what one connection is sent the others wait for. */
const busyBytes = 64 * 1024

/** One port session, until it ends or nothing has used it for a while. */
export class Tunnel {
  readonly #parts: TunnelParts
  /** By the session that needs it first. */
  readonly #ask: TunnelAsk
  readonly #onEnd: () => void
  readonly #session: PortSession
  #id: string | undefined
  #isOver = false
  #users = 0
  /** It has carried a connection. */
  isReady = false
  #idle: NodeJS.Timeout | undefined

  constructor(
    parts: TunnelParts,
    ask: TunnelAsk,
    { host, port }: { readonly host: string; readonly port: number },
    onEnd: () => void,
  ) {
    this.#parts = parts
    this.#ask = ask
    this.#onEnd = onEnd
    const expected = { host, portNumber: String(port), type: 'LocalPortForwarding' }
    this.#session = new PortSession({ ticket: () => this.#ticket(), expected })
    void this.#session.ended.then(() => this.#over())
  }

  /** Connections that are open, or being opened. */
  get users(): number {
    return this.#users
  }

  /** What it carries would slow another connection down. */
  get isBusy(): boolean {
    return this.#users > 0 && this.#session.recentBytes >= busyBytes
  }

  async #ticket(): Promise<ChannelTicket | null> {
    const { tunnels } = this.#parts
    if (this.#id !== undefined) return await tunnels.tunnelTicket(this.#id)
    const { tunnelId, ticket } = await tunnels.openTunnel(this.#ask)
    this.#id = tunnelId
    if (this.#isOver) this.#terminate() // it was given up meanwhile
    return ticket
  }

  /** @throws BrokerError, Error with code ABORT_ERR */
  async open(signal: AbortSignal): Promise<Duplex> {
    clearTimeout(this.#idle)
    this.#users += 1
    const opening = this.#session.open()
    try {
      const stream = await unlessAborted(signal, opening)
      this.isReady = true
      stream.once('close', () => this.#left())
      return stream
    } catch (error) {
      this.#left()
      opening.then((late) => void late.destroy()).catch(() => {}) // it was given up, or failed with this very error
      throw error
    }
  }

  #left(): void {
    this.#users -= 1
    if (this.#users > 0 || this.#isOver) return
    this.#idle = setTimeout(() => this.close(), this.#parts.idleMs ?? defaultIdleMs).unref()
  }

  /** Whatever goes by it is lost. */
  close(): void {
    this.#onEnd()
    void this.#session.close()
  }

  #over(): void {
    clearTimeout(this.#idle)
    this.#isOver = true
    this.#onEnd()
    this.#terminate()
  }

  /** Also where the agent was told: it may not have heard, and AWS's books go by this. */
  #terminate(): void {
    if (this.#id === undefined) return
    const { tunnels, onError } = this.#parts
    tunnels.endTunnel(this.#id).catch((error: unknown) => onError(error, this.#ask.sessionId))
  }
}
