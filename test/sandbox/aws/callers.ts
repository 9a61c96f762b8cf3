import { randomBytes } from 'node:crypto'
import { type Policy, parsePolicy } from './policy.ts'
import { accountOf, documentOf, findRole, type PolicyDocument, type Role, type User, type World } from './world.ts'

/** Keys in use, and who holds them. */
export interface Caller {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Null: long-term keys. */
  readonly session: RoleSession | null
  /** As GetCallerIdentity shows it. */
  readonly arn: string
  readonly userId: string
  readonly account: string
  /** What policies name: the user or the role (with its path). */
  readonly principalArn: string
  /** Of the request that it signed. */
  readonly region?: string
}

export interface RoleSession {
  readonly token: string
  readonly roleArn: string
  readonly name: string
  /** Epoch milliseconds. */
  readonly issuedAt: number
  readonly expiresAt: number
  readonly policy: Policy | null
  /** Session tags, the inherited ones included; not the role's own. */
  readonly tags: Readonly<Record<string, string>>
  readonly transitiveTagKeys: readonly string[]
  readonly sourceIdentity: string | null
  /** ARN of who assumed it; left out: the holder of an ID token. */
  readonly assumedBy?: string
  /** Access key of who took it. */
  readonly assumedWith?: string
  /** Assumed with the credentials of another role. */
  readonly isChained: boolean
}

/** What AssumeRole decided; the keys are made here. */
export type NewSession = Omit<RoleSession, 'token'>

export interface Callers {
  /** Every session that was given keys so far. */
  readonly issued: readonly Caller[]
  find(accessKeyId: string): Caller | undefined
  issue(role: Role, session: NewSession): Caller
  /** Credentials made elsewhere: those of published vectors. */
  adopt(role: Role, session: RoleSession, keys: { accessKeyId: string; secretAccessKey: string }): Caller
}

export function createCallers(world: World): Callers {
  const sessions = new Map<string, Caller>()
  const adopt: Callers['adopt'] = (role, session, keys) => {
    const caller = roleCaller(role, session, keys)
    sessions.set(keys.accessKeyId, caller)
    return caller
  }
  return {
    get issued() {
      return [...sessions.values()]
    },
    find: (accessKeyId) => sessions.get(accessKeyId) ?? userCaller(world, accessKeyId),
    issue: (role, session) =>
      adopt(
        role,
        // Real session tokens are some 400 to 1,200 characters with + / =, which triple when percent-encoded.
        { ...session, token: `IQoJb3JpZ2luX2Vj${randomBytes(560).toString('base64')}` },
        { accessKeyId: newKeyId('ASIA'), secretAccessKey: randomBytes(30).toString('base64') },
      ),
    adopt,
  }
}

/** Principal tags of a session: the role's, overridden by the session's. */
export function principalTags(world: World, caller: Caller): Readonly<Record<string, string>> {
  if (!caller.session) return userOf(world, caller)?.tags ?? {}
  const own = findRole(world, caller.session.roleArn)?.tags ?? {}
  const given = new Set(Object.keys(caller.session.tags).map((key) => key.toLowerCase()))
  const kept = Object.entries(own).filter(([key]) => !given.has(key.toLowerCase()))
  return { ...Object.fromEntries(kept), ...caller.session.tags }
}

/** The policies that hold for a caller now. A deleted user or role may do nothing. */
export function policiesOf(world: World, caller: Caller): { identity: Policy[]; limits: Policy[] } {
  const holder = caller.session ? findRole(world, caller.session.roleArn) : userOf(world, caller)
  const boundary = holder && 'boundary' in holder && holder.boundary ? [boundaryOf(world, holder.boundary)] : []
  const attached = (holder && 'attached' in holder ? (holder.attached ?? []) : []).flatMap(
    (arn) => documentOf(world, arn) ?? [],
  )
  return {
    identity: [...(holder?.policies ?? []), ...attached].map((document) => parsePolicy(document, 'identity')),
    limits: [...boundary, ...(caller.session?.policy ? [caller.session.policy] : [])],
  }
}

/** A boundary that is gone allows nothing. */
function boundaryOf(world: World, boundary: PolicyDocument | string): Policy {
  const document = documentOf(world, boundary)
  return document ? parsePolicy(document, 'identity') : { hasVariables: true, statements: [] }
}

function userOf(world: World, caller: Caller): User | undefined {
  return world.users.find((user) => user.arn === caller.principalArn)
}

function userCaller(world: World, accessKeyId: string): Caller | undefined {
  const user = world.users.find((one) => one.accessKeyId === accessKeyId)
  if (!user) return undefined
  return {
    accessKeyId,
    secretAccessKey: user.secretAccessKey,
    session: null,
    arn: user.arn,
    userId: user.userId,
    account: accountOf(user.arn),
    principalArn: user.arn,
  }
}

function roleCaller(role: Role, session: RoleSession, keys: { accessKeyId: string; secretAccessKey: string }): Caller {
  const account = accountOf(role.arn)
  const [, partition = 'aws'] = role.arn.split(':')
  const name = role.arn.slice(role.arn.lastIndexOf('/') + 1) // the path is dropped
  return {
    ...keys,
    session,
    arn: `arn:${partition}:sts::${account}:assumed-role/${name}/${session.name}`,
    userId: `${role.roleId}:${session.name}`,
    account,
    principalArn: role.arn,
  }
}

const base32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** Prefix and 16 characters, as AWS makes key ids. */
export function newKeyId(prefix: 'ASIA' | 'AKIA' | 'AROA' | 'AIDA'): string {
  return prefix + [...randomBytes(16)].map((byte) => base32[byte & 31]).join('')
}
