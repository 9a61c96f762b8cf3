import { BrokerError } from '../../../proxy/session.ts'
import { admit } from '../admission.ts'
import { actorOf, type Core, checkStanding } from '../core.ts'
import type { Login, Principal } from '../principal.ts'
import { isUsableGroup, isUsableSubject, mostGroups, principalId, readGroups } from './claims.ts'
import { retried } from './retried.ts'

/** Service accounts are known by the broker itself, not by a provider. */
export const serviceIssuer = 'urn:sallyport:service-accounts'

export interface ServiceAccountAsk {
  /** Unique, also among removed ones: a service account comes back with its old id. */
  readonly name: string
  /** Who answers for it: id, e-mail or name; omitted: the caller. */
  readonly owner?: string
  /** Matched by rules. */
  readonly groups?: readonly string[]
}

/** Inactive until its owner accepts it, unless they make it themselves. @throws BrokerError INVALID_INPUT when the name is taken; NOT_FOUND, AUDIT_UNAVAILABLE */
export async function createServiceAccount(core: Core, login: Login, ask: ServiceAccountAsk): Promise<Principal> {
  const owner = ask.owner === undefined ? login.principal : await core.directory.find(ask.owner)
  if (owner.kind !== 'person') throw new BrokerError('INVALID_INPUT', 'the owner must be a person')
  checkStanding(owner)
  const unusable = ask.groups?.find((group) => !isUsableGroup(group))
  if (unusable !== undefined) throw new BrokerError('INVALID_INPUT', `${JSON.stringify(unusable)} cannot be a group`)
  const groups = readGroups(ask.groups ?? [])
  if (groups.length > mostGroups) throw new BrokerError('INVALID_INPUT', `at most ${mostGroups} groups`)
  checkGroups(core, groups)
  const beyond = groups.find((group) => !owner.groups.includes(group))
  if (beyond !== undefined) {
    const text = `${owner.name} is not in ${beyond}, and a service account holds at most what its owner holds`
    throw new BrokerError('INVALID_INPUT', text)
  }
  const id = principalId(serviceIssuer, ask.name)
  const now = core.clock.now()
  const row = {
    id,
    kind: 'service',
    issuer: serviceIssuer,
    subject: ask.name,
    username: ask.name,
    display_name: null,
    email: null,
    email_key: null,
    email_verified: 0,
    groups: JSON.stringify(groups),
    manager: null,
    login_name: null,
    login_claim: null,
    tag_claims: null,
    active: owner.id === login.principal.id ? 1 : 0, // until its owner accepts it
    locked_at: null,
    owner_id: owner.id,
    created_at: now,
    seen_at: now,
  }
  return await runRetried(core, id, async () => {
    if (core.removals.version(id) > 0 || (await core.directory.isSubjectTaken(serviceIssuer, ask.name)))
      throw new BrokerError('INVALID_INPUT', `the service account ${ask.name} already exists`)
    const { actor, name } = actorOf(login)
    await core.directory.create(row, {
      type: 'principal.created',
      actor,
      fields: { principal: id, kind: 'service', owner: owner.id, groups },
      text: { name, principal_name: ask.name },
    })
    core.directory.noteMaker(id, actor)
    const created = await core.directory.principal(id)
    if (!created) throw new BrokerError('INTERNAL', 'the service account was not stored')
    return created
  })
}

/** One change of one principal at a time, and again when another daemon's came first. */
function runRetried<T>(core: Core, id: string, work: () => Promise<T>): Promise<T> {
  return core.mutex.run(id, () => retried(work))
}

/**
 * The owner agrees that it acts with what they hold. Audited first.
 * @throws BrokerError NOT_FOUND for another's, AUDIT_UNAVAILABLE
 */
export async function acceptServiceAccount(core: Core, login: Login, reference: string): Promise<Principal> {
  const { id } = await findOwn(core, login, reference)
  return await runRetried(core, id, async () => {
    const row = await core.directory.row(id)
    if (row?.active === 0) {
      const { actor, name } = actorOf(login)
      const fields = { principal: id, groups: JSON.parse(row.groups) as string[] }
      const text = { name, principal_name: row.subject }
      const step = core.directory.next(row, { active: 1 })
      await core.directory.give({ type: 'service-account.accepted', actor, fields, text }, step)
    }
    return await findOwn(core, login, id)
  })
}

/** The owner agrees no longer: its sessions and grants end, and its tokens are void until they accept it again. */
export async function withdrawServiceAccount(core: Core, login: Login, reference: string): Promise<Principal> {
  const { id, subject } = await findOwn(core, login, reference)
  return await core.mutex.run(id, async () => {
    const { actor, name } = actorOf(login)
    await core.directory.deactivate(id, `${name} no longer accepts the service account`)
    const text = { name, principal_name: subject }
    await core.audit.appendRemoval({ type: 'service-account.withdrawn', actor, fields: { principal: id }, text })
    return await findOwn(core, login, id)
  })
}

/** By id or name. @throws BrokerError NOT_FOUND also for another's */
export async function findOwn(core: Core, login: Login, reference: string): Promise<Principal> {
  admit({ door: 'api-token', by: login })
  const named = isUsableSubject(reference) ? [principalId(serviceIssuer, reference)] : []
  for (const id of reference.startsWith('prn_') ? [reference, ...named] : named) {
    const found = await core.directory.principal(id)
    if (found?.ownerId === login.principal.id) return found
  }
  throw new BrokerError('NOT_FOUND', `you own no service account ${reference}`)
}

/** Its owner can create tokens for it, so its groups must not give a role that the owner may not have. */
function checkGroups(core: Core, groups: readonly string[]): void {
  const found = groups.find(
    (group) => core.config.adminGroups.includes(group) || core.config.auditorGroups.includes(group),
  )
  if (found)
    throw new BrokerError(
      'INVALID_INPUT',
      `a service account cannot be a member of ${found}, because that group gives a role`,
    )
}
