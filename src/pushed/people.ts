import { BrokerError } from '../../proxy/session.ts'
import type { Directory, DirectoryUser } from '../aws/identity-center/users.ts'
import type { Principal } from '../identity/principal.ts'
import type { Clock } from '../telemetry/clock.ts'
import { KeyedMutex } from '../telemetry/keyed-mutex.ts'
import type { Link, Links } from './links.ts'

/** How a person is found who was not linked yet. */
export type Match = 'email' | 'user_name' | 'external_id'

export interface PeopleDeps {
  readonly clock: Clock
  readonly links: Pick<Links, 'of' | 'set' | 'all'>
  /** Of the identity store as it is set now. */
  directory(): Directory
  match(): Match
}

export interface Refusal {
  readonly reason: string
  readonly hint: string
}

const timeoutMs = 30_000
const linkHint = 'an admin can say who it is: sallyport identity-center link PERSON USER_ID'

/**
 * Finds which user of the identity store a person is, before access is asked for. One that was found, or linked by an admin, stays; only
 * when that user is gone from AWS is one looked for again.
 */
export class People {
  readonly #deps: PeopleDeps
  /** Two requests of one person at once find, and link, the same user once. */
  readonly #mutex = new KeyedMutex()

  constructor(deps: PeopleDeps) {
    this.#deps = deps
  }

  /** @returns the user's id @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE, AUDIT_UNAVAILABLE */
  find(principal: Principal): Promise<{ readonly userId: string } | Refusal> {
    return this.#mutex.run(principal.id, () => this.#find(principal))
  }

  async #find(principal: Principal): Promise<{ readonly userId: string } | Refusal> {
    if (principal.kind === 'service')
      return { reason: 'a service account is no user of Identity Center', hint: 'a person can ask for it' }
    const { links } = this.#deps
    const signal = AbortSignal.timeout(timeoutMs)
    const link = links.of(principal.id)
    if (link?.userId != null) {
      const user = await this.#deps.directory().user(link.userId, signal)
      if (user) return user.isDisabled ? disabled(user) : { userId: user.id }
      if (link.foundBy === 'admin') return gone(link)
    }
    const found = await this.#match(principal, signal)
    if (!('id' in found)) return found
    if (found.isDisabled) return disabled(found)
    if (links.all.some(({ principalId, userId }) => userId === found.id && principalId !== principal.id))
      return { reason: `the user ${found.userName} of Identity Center is linked to another person`, hint: linkHint }
    const { clock } = this.#deps
    await links.set(
      {
        principalId: principal.id,
        userId: found.id,
        userName: found.userName,
        foundBy: this.#deps.match(),
        linkedAt: clock.now(),
      },
      'system',
    )
    return { userId: found.id }
  }

  /** By an admin. @throws BrokerError NOT_FOUND there is no such user; AWS_DENIED, AWS_UNAVAILABLE, STALE */
  async link(principal: Principal, userId: string, actor: string): Promise<Link> {
    const user = await this.#deps.directory().user(userId, AbortSignal.timeout(timeoutMs))
    if (!user) throw new BrokerError('NOT_FOUND', `Identity Center has no user with the id ${userId}`)
    const of = { principalId: principal.id, userId: user.id, userName: user.userName, foundBy: 'admin' }
    return await this.#deps.links.set({ ...of, linkedAt: this.#deps.clock.now() }, actor)
  }

  async #match(principal: Principal, signal: AbortSignal): Promise<DirectoryUser | Refusal> {
    const directory = this.#deps.directory()
    const match = this.#deps.match()
    if (match === 'external_id') {
      const externalId = { issuer: principal.issuer, id: principal.subject }
      const users = await directory.findUsers({ externalId }, signal)
      return one(users, `the external id ${externalId.id} of ${externalId.issuer}`)
    }
    const { email } = principal
    if (email === null)
      return {
        reason: 'Identity Center knows people by their e-mail address, and yours is not verified',
        hint: linkHint,
      }
    const named = await directory.findUsers({ userName: email }, signal)
    if (match === 'user_name') return one(named, `the user name ${email}`)
    const users = new Map([...named, ...(await directory.findUsers({ email }, signal))].map((user) => [user.id, user]))
    return one([...users.values()], `the e-mail address or user name ${email}`)
  }
}

function one(users: readonly DirectoryUser[], what: string): DirectoryUser | Refusal {
  const [user] = users
  if (user && users.length === 1) return user
  if (!user) return { reason: `Identity Center has no user with ${what}`, hint: linkHint }
  const names = users.map(({ userName }) => userName).sort()
  return { reason: `Identity Center has ${users.length} users with ${what}: ${names.join(', ')}`, hint: linkHint }
}

function disabled({ userName }: DirectoryUser): Refusal {
  return {
    reason: `the user ${userName} is disabled in Identity Center`,
    hint: 'enable the user in Identity Center, or at the provider that keeps its users',
  }
}

function gone({ userName, userId }: Link): Refusal {
  return { reason: `the user ${userName ?? userId} that an admin linked is gone from Identity Center`, hint: linkHint }
}
