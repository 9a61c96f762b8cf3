import type { Duplex } from 'node:stream'
import type { Doorman, TunnelAsk } from '../doorman.ts'
import { checkPermit } from '../permit.ts'
import { BrokerError, type ChannelTicket, type EndNotice, type SessionPermit } from '../session.ts'
import { PortSession } from '../ssm/smux-session.ts'
import { unlessAborted } from '../streams/abortable.ts'
import { toTargetError } from '../streams/dial-errors.ts'
import { isForbidden } from './forbidden-addresses.ts'
import type { Reach } from './reach.ts'

/** The doorman's calls about tunnels. */
export type TunnelCalls = Pick<Doorman, 'openTunnel' | 'tunnelTicket' | 'endTunnel'>

export interface ViaSsmParts {
  readonly tunnels: TunnelCalls
  /** For the log: a tunnel whose end could not be told. */
  onError(error: unknown, sessionId: string): void
  /** A tunnel without connections is closed after it. */
  readonly idleMs?: number
}

const defaultIdleMs = 60_000

/**
 * Through instances over Session Manager, for targets that the broker has no network path to. The instances are tried in their order.
 * Sessions with the same key share a tunnel to the same address; it is opened once, however many ask for it.
 */
export function viaSsm(parts: ViaSsmParts): Reach {
  const tunnels = new Map<string, Tunnel>()
  return {
    open: async (permit, signal) => {
      checkPermit(permit)
      if (permit.signal.aborted) throw new BrokerError('INTERNAL', (permit.signal.reason as EndNotice).text)
      const { via, address } = permit.engine ?? {}
      if (!via || !address) throw new BrokerError('INTERNAL', `sessions of ${permit.kind} go through no instance`)
      if (isForbidden(address.host)) throw new BrokerError('TARGET_UNREACHABLE', 'its address is link-local')
      let failure: unknown = new BrokerError('TARGET_UNREACHABLE', 'no instance leads to it')
      for (const instance of via.instances) {
        const tunnel = tunnelTo(permit, via.key ?? permit.grantId, instance, address)
        try {
          const stream = await tunnel.open(signal)
          return { stream, address, again: (later) => tunnel.open(later), reset: () => void stream.destroy() }
        } catch (error) {
          failure = error
          if (signal.aborted) break
        }
      }
      throw toTargetError(failure)
    },
  }

  function tunnelTo({ sessionId }: SessionPermit, key: string, instance: string, address: Address): Tunnel {
    const id = JSON.stringify([key, instance, address.host, address.port])
    const known = tunnels.get(id)
    if (known) return known
    const tunnel = new Tunnel(parts, { sessionId, instance }, address, () => {
      if (tunnels.get(id) === tunnel) tunnels.delete(id)
    })
    tunnels.set(id, tunnel)
    return tunnel
  }
}

interface Address {
  readonly host: string
  readonly port: number
}

/** One port session, until it ends or nothing has used it for a while. */
class Tunnel {
  readonly #parts: ViaSsmParts
  /** By the session that needs it first. */
  readonly #ask: TunnelAsk
  readonly #onEnd: () => void
  readonly #session: PortSession
  #id: string | undefined
  #isOver = false
  #users = 0
  #idle: NodeJS.Timeout | undefined

  constructor(parts: ViaSsmParts, ask: TunnelAsk, { host, port }: Address, onEnd: () => void) {
    this.#parts = parts
    this.#ask = ask
    this.#onEnd = onEnd
    const expected = { host, portNumber: String(port), type: 'LocalPortForwarding' }
    this.#session = new PortSession({ ticket: () => this.#ticket(), expected })
    void this.#session.ended.then(() => this.#over())
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
    this.#idle = setTimeout(() => {
      this.#onEnd()
      void this.#session.close()
    }, this.#parts.idleMs ?? defaultIdleMs).unref()
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
