import type { StreamTo } from '../../proxy/doorman.ts'
import { BrokerError, type EngineFacts, type FailedLease, type Lease } from '../../proxy/session.ts'
import { type Held, kindNamed } from '../catalog/kind.ts'
import type { Pusher } from '../pushed/pusher.ts'
import type { KnownSession, SessionChannels, SessionKinds } from '../sessions/session-kinds.ts'
import type { KindModules, KindParts, RunningKind } from './module.ts'

/** The kinds of this daemon. Sessions get it before the kinds have started, since starting a kind needs sessions. */
export class StartedKinds implements SessionKinds {
  readonly #kinds: KindModules
  readonly #running = new Map<string, RunningKind>()

  constructor(kinds: KindModules) {
    this.#kinds = kinds
  }

  async start(parts: KindParts): Promise<void> {
    for (const kind of this.#kinds) if (kind.start) this.#running.set(kind.name, await kind.start(parts))
  }

  get running(): readonly RunningKind[] {
    return [...this.#running.values()]
  }

  /** The protocols that kinds name, each once. */
  get protocols(): string[] {
    return [...new Set(this.#kinds.flatMap(({ name }) => this.protocolsOf(name)))]
  }

  protocolOf(kind: string): string | undefined {
    return kindNamed(this.#kinds, kind)?.protocol
  }

  protocolsOf(kind: string): readonly string[] {
    const { protocol, besides = [] } = kindNamed(this.#kinds, kind) ?? {}
    return protocol === undefined ? besides : [protocol, ...besides]
  }

  engineOf(held: Held, to?: StreamTo): EngineFacts | null {
    return this.#running.get(held.resource.kind)?.permit?.(held, to) ?? null
  }

  leaseAtHand(session: KnownSession): Lease | null {
    return this.#running.get(session.facts.kind)?.leaseAtHand?.(session) ?? null
  }

  async lease(kind: string, sessionId: string, failed?: FailedLease): Promise<Lease> {
    const running = this.#running.get(kind)
    if (!running?.lease) throw new BrokerError('INTERNAL', `the kind ${kind} has no credential of its own`)
    return await running.lease(sessionId, failed)
  }

  async leaseToEnd(session: KnownSession): Promise<Lease> {
    const { kind } = session.facts
    const running = this.#running.get(kind)
    if (!running?.leaseToEnd) throw new BrokerError('INTERNAL', `the kind ${kind} has no credential of its own`)
    return await running.leaseToEnd(session)
  }

  channelsOf(kind: string): SessionChannels | undefined {
    return this.#running.get(kind)?.channels
  }

  /** Undefined: the kind has nothing to sign in to. */
  validatorOf(kind: string): RunningKind['validate'] {
    return this.#running.get(kind)?.validate
  }

  /** Undefined: AWS keeps no log of its use. */
  usesOf(kind: string): RunningKind['uses'] {
    return this.#running.get(kind)?.uses
  }

  servicesOf(kind: string): RunningKind['servicesOf'] {
    return this.#running.get(kind)?.servicesOf
  }

  /** Undefined: AWS is not asked about its targets. */
  checkerOf(kind: string): RunningKind['check'] {
    return this.#running.get(kind)?.check
  }

  /** Names of the kinds whose grants AWS itself holds. */
  get pushed(): string[] {
    return [...this.#running].flatMap(([name, { push }]) => (push ? [name] : []))
  }

  pusherOf(kind: string): Pusher | undefined {
    return this.#running.get(kind)?.push
  }

  async recover(): Promise<void> {
    for (const { recover } of this.running) await recover?.()
  }

  async settled(): Promise<void> {
    for (const { settled } of this.running) await settled?.()
  }

  passiveCount(): number {
    return this.running.reduce((count, running) => count + (running.passiveCount?.() ?? 0), 0)
  }
}
