import type { Held } from '../catalog/kind.ts'
import type { Membership } from './membership.ts'

/** What AWS gave for a change that it goes on with by itself. Plain data: it is stored, and a later process asks by it. */
export type PushTicket = Readonly<Record<string, string>>

export interface Seen {
  readonly isThere: boolean
  /** Of the membership itself, where it has one: one that is made anew has another. */
  readonly externalId?: string
}

export type PushState =
  /** `unknown`: AWS knows the ticket no more, so what is there must be read. */
  | { readonly state: 'in-progress' | 'unknown' }
  | { readonly state: 'succeeded'; readonly externalId?: string }
  /** isLasting: it will be refused again until something is changed */
  | { readonly state: 'failed'; readonly reason: string; readonly isLasting: boolean }

export interface PushChange {
  readonly membership: Membership
  readonly to: 'present' | 'absent'
  /** Of what is to be removed. */
  readonly externalId?: string
}

/** How a kind has its grants written to AWS. Everything is asked of AWS anew. */
export interface Pusher<T = unknown, L = unknown> {
  /** What a grant wants of AWS, for a user of the identity store. @throws BrokerError when the target is not known well enough */
  membership(held: Pick<Held<T, L>, 'resource' | 'target'>, userId: string): Membership
  /** Where Identity Center has its home now. */
  readonly region: string
  /** Where its holder uses it; null: that is not known. */
  portal(target: T): string | null
  /** Why a target cannot be given by a level, although rules allow it; null: it can. */
  refuses(held: Held<T, L>): { readonly reason: string; readonly hint: string } | null
  /** The same by what AWS says now. @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE */
  refusesNow?(
    held: Pick<Held<T, L>, 'target'>,
    signal: AbortSignal,
  ): Promise<{ readonly reason: string; readonly hint: string } | null>
  /** Every direct membership that AWS shows of a target. @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE; the signal's reason */
  observeAll(held: Pick<Held<T, L>, 'resource' | 'target'>, signal: AbortSignal): Promise<readonly Membership[]>
  /** Of direct memberships alone. @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE; the signal's reason */
  observe(membership: Membership, signal: AbortSignal): Promise<Seen>
  /**
   * Asks AWS for a change. The ticket is stored before it is polled.
   * @throws PushRefused AWS did not take it, so nothing of it will come; any other error: it may have
   */
  begin(change: PushChange, signal: AbortSignal): Promise<PushTicket>
  /** When a ticket is first polled, in milliseconds; 0: what is begun is done. */
  readonly firstPollMs: number
  /** @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE; the signal's reason */
  poll(ticket: PushTicket, signal: AbortSignal): Promise<PushState>
}

/** AWS refused a change, and nothing of it takes effect. */
export class PushRefused extends Error {
  /** AWS's own. */
  readonly code: string
  /** It will be refused again until something is changed. */
  readonly isLasting: boolean
  readonly fix: string | undefined

  constructor(of: { code: string; message: string; isLasting: boolean; fix?: string }, options?: ErrorOptions) {
    super(of.message, options)
    this.name = 'PushRefused'
    this.code = of.code
    this.isLasting = of.isLasting
    this.fix = of.fix
  }
}
