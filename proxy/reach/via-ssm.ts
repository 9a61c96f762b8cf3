import { checkPermit } from '../permit.ts'
import { BrokerError, type EndNotice, type SessionPermit, type ViaInstances } from '../session.ts'
import { toTargetError } from '../streams/dial-errors.ts'
import { isForbidden } from './forbidden-addresses.ts'
import type { Reach } from './reach.ts'
import { Tunnel, type TunnelParts } from './tunnel.ts'

/** Of one instance, over which none is opened beside another: each is a process there. */
const mostBeside = 8
/** For a connection by one of several; then it goes by another. */
const defaultBesideMs = 5000
/** After one could not be opened beside others. */
const pauseMs = 30_000

/**
 * Through instances over Session Manager, for targets that the broker has no network path to. The instances are tried in their order.
 * Sessions with the same key share the tunnels to the same address. Agents pace each tunnel, so another one is opened where those there
 * are would slow a connection down. Otherwise it goes by the one that carries the fewest.
 */
export function viaSsm(parts: TunnelParts): Reach {
  const ways = new Map<string, Way>()
  return {
    open: async (permit, signal) => {
      checkPermit(permit)
      if (permit.signal.aborted) throw new BrokerError('INTERNAL', (permit.signal.reason as EndNotice).text)
      const { via, address } = permit.engine ?? {}
      if (!via || !address) throw new BrokerError('INTERNAL', `sessions of ${permit.kind} go through no instance`)
      if (isForbidden(address.host)) throw new BrokerError('TARGET_UNREACHABLE', 'its address is link-local')
      let failure: unknown = new BrokerError('TARGET_UNREACHABLE', 'no instance leads to it')
      for (const instance of via.instances) {
        try {
          const { tunnel, stream } = await wayThrough(instance).open(permit, via, address, signal)
          return { stream, address, again: (later) => tunnel.open(later), reset: () => void stream.destroy() }
        } catch (error) {
          failure = error
          if (signal.aborted) break
        }
      }
      throw toTargetError(failure)
    },
  }

  function wayThrough(instance: string): Way {
    const known = ways.get(instance)
    if (known) return known
    const way = new Way(parts, instance, () => ways.delete(instance))
    ways.set(instance, way)
    return way
  }
}

interface Address {
  readonly host: string
  readonly port: number
}

/** The tunnels through one instance, by what their sessions must have in common. */
class Way {
  readonly #parts: TunnelParts
  readonly #instance: string
  readonly #onEmpty: () => void
  readonly #tunnels = new Map<Tunnel, string>()
  /** None is opened beside others until then. */
  #pausedUntil = Number.NEGATIVE_INFINITY

  constructor(parts: TunnelParts, instance: string, onEmpty: () => void) {
    this.#parts = parts
    this.#instance = instance
    this.#onEmpty = onEmpty
  }

  /** @throws BrokerError, Error with code ABORT_ERR */
  async open({ sessionId, grantId }: SessionPermit, via: ViaInstances, address: Address, signal: AbortSignal) {
    const group = JSON.stringify([via.key ?? grantId, address.host, address.port])
    const least = this.#leastOf(group)
    const first = least && !this.#mayAddBeside(least, via) ? least : this.#add(sessionId, group, address)
    const other = () =>
      this.#leastOf(group, (one) => one !== first && one.isReady) ?? this.#leastOf(group, (one) => one !== first)
    const { besideMs = defaultBesideMs } = this.#parts
    const inTime = other()?.isReady ? AbortSignal.any([signal, AbortSignal.timeout(besideMs)]) : signal
    try {
      return await use(first, inTime)
    } catch (error) {
      if (signal.aborted) throw error
      if (!first.isReady) {
        this.#pausedUntil = performance.now() + pauseMs
        first.close()
      }
      const instead = other()
      if (!instead) throw error
      return await use(instead, signal)
    }
  }

  #mayAddBeside(least: Tunnel, { isSpread = false }: ViaInstances): boolean {
    const isWorthIt = isSpread ? least.users > 0 : least.isBusy
    return isWorthIt && this.#tunnels.size < mostBeside && performance.now() >= this.#pausedUntil
  }

  #leastOf(group: string, isIt = (_: Tunnel) => true): Tunnel | undefined {
    const theirs = [...this.#tunnels].flatMap(([tunnel, its]) => (its === group && isIt(tunnel) ? [tunnel] : []))
    return theirs.sort((a, b) => Number(a.isBusy) - Number(b.isBusy) || a.users - b.users)[0]
  }

  #add(sessionId: string, group: string, address: Address): Tunnel {
    const tunnel = new Tunnel(this.#parts, { sessionId, instance: this.#instance }, address, () => {
      if (this.#tunnels.delete(tunnel) && this.#tunnels.size === 0) this.#onEmpty()
    })
    this.#tunnels.set(tunnel, group)
    return tunnel
  }
}

async function use(tunnel: Tunnel, signal: AbortSignal) {
  return { tunnel, stream: await tunnel.open(signal) }
}
