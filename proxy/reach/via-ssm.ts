import type { Duplex } from 'node:stream'
import { checkPermit } from '../permit.ts'
import { BrokerError, type EndNotice, type SessionPermit } from '../session.ts'
import type { ChannelOptions } from '../ssm/channel.ts'
import { PortSession } from '../ssm/smux-session.ts'
import { unlessAborted } from '../streams/abortable.ts'
import { toTargetError } from '../streams/dial-errors.ts'
import { isForbidden } from './forbidden-addresses.ts'
import type { Reach } from './reach.ts'

/** What one tunnel leads through, and to. */
export interface TunnelAsk {
  /** Of the session that needs it first. */
  readonly sessionId: string
  /** Id of the EC2 instance whose agent dials. */
  readonly instance: string
  /** Resolved at the instance. */
  readonly host: string
  readonly port: number
}

export interface ViaSsmParts {
  /** Called for each tunnel: opens a session of the document for port forwarding, then resumes it. */
  tickets(ask: TunnelAsk): ChannelOptions['ticket']
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
        const tunnel = tunnelTo(permit, via.key, instance, address)
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
    const ask = { sessionId, instance, ...address }
    const tunnel = new Tunnel(parts.tickets(ask), address, parts.idleMs ?? defaultIdleMs, () => {
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
  readonly #session: PortSession
  readonly #idleMs: number
  readonly #onEnd: () => void
  #users = 0
  #idle: NodeJS.Timeout | undefined

  constructor(ticket: ChannelOptions['ticket'], { host, port }: Address, idleMs: number, onEnd: () => void) {
    this.#idleMs = idleMs
    this.#onEnd = onEnd
    const expected = { host, portNumber: String(port), type: 'LocalPortForwarding' }
    this.#session = new PortSession({ ticket, expected })
    this.#session.ended.then(() => this.#end(), onEnd)
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
    if (this.#users > 0) return
    this.#idle = setTimeout(() => {
      this.#end()
      void this.#session.close()
    }, this.#idleMs).unref()
  }

  #end(): void {
    clearTimeout(this.#idle)
    this.#onEnd()
  }
}
