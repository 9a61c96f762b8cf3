import { BrokerError } from '../../../proxy/session.ts'
import { keyOf, type Membership } from '../../../src/pushed/membership.ts'
import type { Push, Want } from '../../../src/pushed/push.ts'
import type { Pass, PushBooks, PushEventType } from '../../../src/pushed/reconcile-ports.ts'
import { Reconciler } from '../../../src/pushed/reconciler.ts'
import { FakeAws } from './fake-aws.ts'

export interface Claim {
  readonly id: string
  readonly membership: Membership
  readonly startsAt: number
  endsAt: number
}

export interface Told {
  readonly type: PushEventType
  readonly key: string
  readonly push: Push
  readonly to: 'present' | 'absent' | undefined
}

export function membershipOf(user: string, set = 'ps-1', kind = 'permission-set'): Membership {
  const isSet = kind === 'permission-set'
  return {
    kind,
    region: 'eu-west-1',
    instance: isSet ? 'arn:aws:sso:::instance/ssoins-1' : 'd-1',
    account: isSet ? '111122223333' : null,
    what: isSet ? `arn:aws:sso:::permissionSet/ssoins-1/${set}` : set,
    userId: user,
  }
}

/** Grants, their books and an AWS, of which the process between them may be killed at any await. */
export class World {
  now = 1_800_000_000_000
  readonly aws = new FakeAws(() => this.now)
  readonly claims: Claim[] = []
  readonly events: Told[] = []
  readonly rows = new Map<string, Push>()
  mostRemovals = 50
  unclear = new Set<string>()
  /** Whether to be killed here. */
  isKilled: () => boolean = () => false
  #ids = 0
  #life = 0
  #kill: (() => void) | undefined

  grant(membership: Membership, ms: number): Claim {
    const claim = { id: `grt_${++this.#ids}`, membership, startsAt: this.now, endsAt: this.now + ms }
    this.claims.push(claim)
    return claim
  }

  /** Ends a grant early. */
  end(claim: Claim): void {
    claim.endsAt = Math.min(claim.endsAt, this.now)
  }

  want(key: string): Want | undefined {
    const live = this.claims.filter(
      ({ membership, startsAt, endsAt }) => keyOf(membership) === key && startsAt <= this.now && this.now < endsAt,
    )
    const [first] = live
    return (
      first && {
        membership: first.membership,
        until: Math.max(...live.map(({ endsAt }) => endsAt)),
        grants: live.map(({ id }) => id),
      }
    )
  }

  wants(): ReadonlyMap<string, Want> {
    const keys = new Set(this.claims.map(({ membership }) => keyOf(membership)))
    return new Map(
      [...keys].flatMap((key) => {
        const want = this.want(key)
        return want ? [[key, want] as const] : []
      }),
    )
  }

  push(membership: Membership): Push | undefined {
    return this.rows.get(keyOf(membership))
  }

  isThere(membership: Membership): boolean {
    return this.aws.there.has(keyOf(membership))
  }

  of(type: PushEventType): Told[] {
    return this.events.filter((event) => event.type === type)
  }

  /** @returns undefined when it was killed in the middle */
  async pass(): Promise<Pass | undefined> {
    const life = ++this.#life
    const killed = new Promise<undefined>((resolve) => {
      this.#kill = () => resolve(undefined)
    })
    return await Promise.race([killed, this.#reconciler(life).pass(new AbortController().signal)])
  }

  /** Lets time pass until nothing is due at once. */
  async settle(ms = 0): Promise<void> {
    this.now += ms
    for (let i = 0; i < 200; i++) {
      const pass = await this.pass()
      if (!pass) continue
      const next = pass.nextAt
      if (next === null || next > this.now + 10_000) return
      this.now = Math.max(this.now + 1, next)
    }
  }

  #reconciler(life: number): Reconciler {
    const at =
      <A extends readonly unknown[], R>(work: (...of: A) => Promise<R>) =>
      async (...of: A): Promise<R> => {
        await this.#live(life)
        const result = await work(...of)
        await this.#live(life)
        return result
      }
    const { observe, begin, poll, firstPollMs } = this.aws.pusher
    const pusher = { firstPollMs, observe: at(observe), begin: at(begin), poll: at(poll) }
    return new Reconciler({
      books: { open: at(this.#books.open), find: at(this.#books.find), write: at(this.#books.write) },
      wants: async () => ({ byKey: this.wants(), unclear: this.unclear }),
      isAllowed: async (want) => this.want(keyOf(want.membership)) !== undefined,
      isWanted: async (membership) => this.want(keyOf(membership)) !== undefined,
      pusherOf: () => pusher,
      isForeign: this.aws.isForeign,
      checkLeader: () => {},
      now: () => this.now,
      mostRemovals: () => this.mostRemovals,
    })
  }

  /** What a process that was killed asks for never returns. */
  async #live(life: number): Promise<void> {
    if (life === this.#life && this.isKilled()) {
      this.#life++
      this.#kill?.()
    }
    if (life !== this.#life) await new Promise(() => {})
  }

  readonly #books: PushBooks = {
    open: async () => [...this.rows.values()].filter(({ state }) => state !== 'gone'),
    find: async (key) => this.rows.get(key),
    write: async (next, told) => {
      const key = keyOf(next.membership)
      if ((this.rows.get(key)?.version ?? 0) !== next.version - 1)
        throw new BrokerError('STALE', `${key} ${next.version}`)
      this.rows.set(key, next)
      if (told) this.events.push({ type: told.type, key, push: next, to: told.to })
    },
  }
}

export { keyOf }
