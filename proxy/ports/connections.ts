import type { Socket } from 'node:net'
import { prefixOf } from './source-address.ts'

/** Why a connection was closed before it had signed in. */
export type TurnedAway = 'too-many-connections' | 'too-many-sign-ins' | 'too-many-sign-ins-from-address' | 'made-room'

export interface ConnectionLimits {
  /** Open connections, signed in or not. */
  readonly total: number
  /** Those that have not signed in yet. */
  readonly waiting: number
  /** The same from one source: an IPv4 address, or an IPv6 /64, which usually belongs to one customer. */
  readonly waitingPerAddress: number
}

export interface ConnectionsOptions {
  readonly limits?: ConnectionLimits
  /** Proxies in front, which speak for many: they have no limit of their own. */
  isProxy?(address: string): boolean
  /** For the log. Called for every connection refused or closed: count, don't write a line each. */
  onTurnedAway?(reason: TurnedAway, address: string): void
  /** Milliseconds since any fixed moment; default `performance.now`. */
  readonly now?: () => number
}

/** Files that the daemon needs besides its connections: store, keys, recordings being read, anchors, AWS. */
const ownFiles = 64
/** A session has its client, its target and its recording. */
const filesPerSession = 3
const mostWaiting = 1024
/** Connections beside the sessions: browsers, commands, those who follow the log. */
const besideSessions = 1024
/** How long one who has not signed in keeps its place though others need it. A sign-in takes milliseconds. */
const undisturbedMs = 3000
/** Sources remembered because someone signed in from there. */
const mostKnown = 10_000

/** @param files how many the process may have open */
export function limitsFor(sessions: number, files: number): ConnectionLimits {
  const free = Math.max(0, files - ownFiles)
  const waiting = Math.max(4, Math.min(mostWaiting, Math.floor(free / 4)))
  const signedIn = Math.max(4, Math.min(sessions + besideSessions, Math.floor((free - waiting) / filesPerSession)))
  return { total: waiting + signedIn, waiting, waitingPerAddress: Math.max(2, Math.floor(waiting / 8)) }
}

interface Waiting {
  readonly socket: Socket
  readonly address: string
  readonly prefix: string
  readonly since: number
}

/**
 * The places for connections, of all public ports together. A client that has signed in keeps its place. Where room for the others is
 * short it is shared: the source with the most waiting connections gives one up, and sources from which someone has signed in before
 * come last, so that neither a flood nor silence keeps others out.
 */
export class Connections {
  readonly limits: ConnectionLimits
  readonly #options: ConnectionsOptions
  readonly #now: () => number
  /** By source, in the order of arrival. */
  readonly #waiting = new Map<string, Set<Waiting>>()
  /** Oldest first. */
  readonly #known = new Set<string>()
  readonly #open = new Set<Socket>()
  #waitingCount = 0

  constructor(options: ConnectionsOptions = {}) {
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
    this.limits = options.limits ?? limitsFor(10_000, Number.POSITIVE_INFINITY)
  }

  /** Connections open now, signed in or not. */
  get open(): number {
    return this.#open.size
  }

  /**
   * Gives the connection a place until it closes, or destroys it.
   * @returns to be called once its client is known; undefined: it was destroyed
   */
  admit(socket: Socket, address: string): (() => void) | undefined {
    const prefix = prefixOf(address)
    const refusal = this.#makeRoom(prefix, address)
    if (refusal) {
      socket.destroy()
      this.#options.onTurnedAway?.(refusal, address)
      return undefined
    }
    const waiting: Waiting = { socket, address, prefix, since: this.#now() }
    this.#open.add(socket)
    this.#add(waiting)
    socket.once('close', () => {
      this.#open.delete(socket)
      this.#remove(waiting)
    })
    return () => {
      if (!socket.destroyed) this.#remember(prefix)
      this.#remove(waiting)
    }
  }

  #makeRoom(prefix: string, address: string): TurnedAway | undefined {
    const { total, waiting, waitingPerAddress } = this.limits
    const here = this.#waiting.get(prefix)?.size ?? 0
    const most = this.#known.has(prefix) ? Math.max(waitingPerAddress, waiting / 2) : waitingPerAddress
    if (here >= most && !this.#options.isProxy?.(address))
      return this.#close(this.#overdueOf(prefix)) ? undefined : 'too-many-sign-ins-from-address'
    if (this.#waitingCount >= waiting) return this.#close(this.#victim(prefix, here)) ? undefined : 'too-many-sign-ins'
    if (this.#open.size >= total) return this.#close(this.#victim(prefix, here)) ? undefined : 'too-many-connections'
    return undefined
  }

  /** Who gives up its place for one more from `prefix`, where `here` are waiting. */
  #victim(prefix: string, here: number): Waiting | undefined {
    const unknown = [...this.#waiting.keys()].filter((other) => !this.#known.has(other))
    if (this.#known.has(prefix) && unknown.length > 0) return this.#leastOf(this.#heaviest(unknown))
    const groups = unknown.length > 0 ? unknown : [...this.#waiting.keys()]
    const heaviest = this.#heaviest(groups)
    if (this.#sizeOf(heaviest) > here + 1) return this.#leastOf(heaviest)
    let oldest: Waiting | undefined
    for (const group of groups) {
      const first = this.#overdueOf(group)
      if (first && first.since < (oldest?.since ?? Number.POSITIVE_INFINITY)) oldest = first
    }
    return oldest
  }

  #heaviest(groups: readonly string[]): string {
    let heaviest = ''
    for (const group of groups) if (this.#sizeOf(group) > this.#sizeOf(heaviest)) heaviest = group
    return heaviest
  }

  #sizeOf(prefix: string): number {
    return this.#waiting.get(prefix)?.size ?? 0
  }

  /** The one that has waited longest, if that is longer than a sign-in takes. */
  #overdueOf(prefix: string): Waiting | undefined {
    const [first] = this.#waiting.get(prefix) ?? []
    return first && this.#now() - first.since >= undisturbedMs ? first : undefined
  }

  /** The one that loses least: the newest, unless the oldest is overdue. */
  #leastOf(prefix: string): Waiting | undefined {
    return this.#overdueOf(prefix) ?? [...(this.#waiting.get(prefix) ?? [])].at(-1)
  }

  #close(victim: Waiting | undefined): boolean {
    if (!victim) return false
    this.#remove(victim)
    this.#open.delete(victim.socket)
    victim.socket.destroy()
    this.#options.onTurnedAway?.('made-room', victim.address)
    return true
  }

  #add(waiting: Waiting): void {
    const here = this.#waiting.get(waiting.prefix)
    if (here) here.add(waiting)
    else this.#waiting.set(waiting.prefix, new Set([waiting]))
    this.#waitingCount += 1
  }

  #remove(waiting: Waiting): void {
    const here = this.#waiting.get(waiting.prefix)
    if (!here?.delete(waiting)) return
    this.#waitingCount -= 1
    if (here.size === 0) this.#waiting.delete(waiting.prefix)
  }

  #remember(prefix: string): void {
    this.#known.delete(prefix)
    this.#known.add(prefix)
    if (this.#known.size <= mostKnown) return
    const [oldest = ''] = this.#known
    this.#known.delete(oldest)
  }
}
