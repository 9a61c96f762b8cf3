/**
 * What policies of IAM let their holders do, and whom trust policies let in, as far as findings go (IAM User Guide, "Grammar of the IAM JSON
 * policy language"). Pure. No evaluation: a denial takes nothing away here, since it is seldom of everything, and of conditions only those
 * count that narrow on what; so this may find more than there is, and is no answer to whether a call would be allowed.
 */

import { fitsPattern } from '../catalog/fits-pattern.ts'

export interface PolicyStatement {
  readonly isAllow: boolean
  readonly actions: readonly string[]
  /** The actions are those that are not meant. */
  readonly isAllBut: boolean
  readonly resources: readonly string[]
  readonly isAllResourcesBut: boolean
  /** By type: `AWS`, `Service`, `Federated`. */
  readonly principals: Readonly<Record<string, readonly string[]>>
  /** Keys of its conditions, in lower case, each with its values. */
  readonly conditions: ReadonlyMap<string, readonly string[]>
}

/** A policy as it was found, with the name by which people find it again. */
export interface NamedPolicy {
  readonly name: string
  readonly statements: readonly PolicyStatement[]
}

/**
 * @param text JSON, or the same percent-encoded, as IAM has it on the wire
 * @returns null where it is not a policy
 */
export function readPolicy(text: string): readonly PolicyStatement[] | null {
  let document: unknown
  try {
    document = JSON.parse(/^\s*\{/.test(text) ? text : decodeURIComponent(text))
  } catch {
    return null
  }
  if (!isObject(document)) return null
  const statements = [document.Statement].flat()
  return statements.every(isObject) ? statements.map(readStatement) : null
}

function readStatement(raw: Json): PolicyStatement {
  return {
    isAllow: raw.Effect === 'Allow',
    actions: textsOf(raw.Action ?? raw.NotAction),
    isAllBut: raw.Action === undefined && raw.NotAction !== undefined,
    resources: textsOf(raw.Resource ?? raw.NotResource),
    isAllResourcesBut: raw.Resource === undefined && raw.NotResource !== undefined,
    principals: raw.Principal === '*' ? { AWS: ['*'] } : byName(raw.Principal),
    conditions: conditionsOf(raw.Condition),
  }
}

function conditionsOf(raw: unknown): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>()
  for (const block of Object.values(isObject(raw) ? raw : {}))
    for (const [key, values] of Object.entries(byName(block))) found.set(key.toLowerCase(), values)
  return found
}

function byName(raw: unknown): Record<string, readonly string[]> {
  return isObject(raw) ? Object.fromEntries(Object.entries(raw).map(([name, value]) => [name, textsOf(value)])) : {}
}

function textsOf(value: unknown): string[] {
  return [value].flat().flatMap((one) => (typeof one === 'string' || typeof one === 'boolean' ? [String(one)] : []))
}

type Json = Readonly<Record<string, unknown>>

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What policies give together. Each text names the policy, `ReadReports: s3:*`. */
export interface Powers {
  /** Names of those that allow everything. */
  readonly admin: readonly string[]
  /** What lets their holder take any other permission. */
  readonly escalation: readonly string[]
  /** Whole services on every resource, or everything but something. */
  readonly wide: readonly string[]
}

/** With one of these on every role or user, anything else can be taken. */
const escalations = [
  'iam:AddUserToGroup',
  'iam:AttachRolePolicy',
  'iam:AttachUserPolicy',
  'iam:CreateAccessKey',
  'iam:CreateLoginProfile',
  'iam:CreatePolicyVersion',
  'iam:DeleteRolePermissionsBoundary',
  'iam:PutRolePolicy',
  'iam:PutUserPolicy',
  'iam:SetDefaultPolicyVersion',
  'iam:UpdateAssumeRolePolicy',
  'iam:UpdateLoginProfile',
  'sts:AssumeRole',
]

/** A condition by one of these narrows on what, or for whom, something may be done. */
const narrowing =
  /(resource|request|principal)tag\/|resourceaccount|resourceorg|passedtoservice|policyarn|permissionsboundary/

/** Of the policies that a principal has. AWS's own are known by their names. */
export function powersOf(policies: readonly NamedPolicy[], attached: readonly string[] = []): Powers {
  const [admin, escalation, wide] = [new Set<string>(), new Set<string>(), new Set<string>()]
  for (const { name, statements } of policies)
    for (const statement of statements) {
      if (!isOnEverything(statement)) continue
      const { actions, isAllBut } = statement
      if (isAllBut) wide.add(`${name}: everything but ${few(actions)}`)
      else if (actions.some((action) => isAll(action))) admin.add(name)
      else {
        for (const action of actions) if (/^[\w-]+:\*+$/.test(action)) wide.add(`${name}: ${action}`)
        const raising = escalations.filter((one) => actions.some((pattern) => matchesAction(pattern, one)))
        if (raising.length > 0) escalation.add(`${name}: ${few(raising)}`)
      }
    }
  for (const arn of attached) {
    const name = awsManaged.exec(arn)?.[1]?.replace(/^.*\//, '')
    if (name === 'AdministratorAccess') admin.add(name)
    else if (name === 'IAMFullAccess') escalation.add(name)
    else if (name === 'PowerUserAccess' || name?.endsWith('FullAccess')) wide.add(name)
  }
  return { admin: [...admin].sort(), escalation: [...escalation].sort(), wide: [...wide].sort() }
}

const awsManaged = /^arn:[\w-]+:iam::aws:policy\/(.+)$/

function isOnEverything({ isAllow, resources, isAllResourcesBut, conditions }: PolicyStatement): boolean {
  if (!isAllow || [...conditions.keys()].some((key) => narrowing.test(key))) return false
  return isAllResourcesBut || resources.some((one) => /^(\*+|arn:\*:\*:\*:\*:\*)$/.test(one))
}

function isAll(action: string): boolean {
  return /^\*+(:\*+)?$/.test(action)
}

function matchesAction(pattern: string, action: string): boolean {
  return fitsPattern(pattern.toLowerCase(), action.toLowerCase())
}

/** Whom a trust policy lets in. */
export interface Trust {
  /** ARNs, or ids of accounts, each once and sorted; `*` is everyone. With what must be true besides. */
  readonly principals: readonly TrustedPrincipal[]
  /** ARNs of providers: SAML and OpenID. */
  readonly providers: readonly string[]
}

export interface TrustedPrincipal {
  /** `arn:…`, 12 digits, or `*`. */
  readonly name: string
  /** 12 digits; null: everyone. */
  readonly account: string | null
  /** Needs an ExternalId. */
  readonly hasExternalId: boolean
  /** Needs a membership in an organization, or an account, by a condition. */
  readonly isWithinOrganization: boolean
}

/** Who may assume a role by its trust policy. Those that AWS no longer knows, which stand there by their ids, are left out. */
export function trustOf(statements: readonly PolicyStatement[]): Trust {
  const principals = new Map<string, TrustedPrincipal>()
  const providers = new Set<string>()
  for (const statement of statements) {
    if (!allows(statement, 'sts:AssumeRole') && !allows(statement, 'sts:AssumeRoleWithSAML') && !allowsWeb(statement))
      continue
    const { conditions } = statement
    for (const name of statement.principals.AWS ?? []) {
      if (!/^(\*|\d{12}|arn:.+)$/.test(name)) continue
      const account = name === '*' ? null : (/^\d{12}$/.exec(name)?.[0] ?? name.split(':')[4] ?? '')
      const one = {
        name,
        account,
        hasExternalId: conditions.has('sts:externalid'),
        isWithinOrganization: [...conditions.keys()].some((key) =>
          /^aws:principal(orgid|orgpaths|account|arn)$/.test(key),
        ),
      }
      const before = principals.get(name)
      // Either of two statements suffices, so only what both need is needed.
      principals.set(name, {
        ...one,
        hasExternalId: one.hasExternalId && before?.hasExternalId !== false,
        isWithinOrganization: one.isWithinOrganization && before?.isWithinOrganization !== false,
      })
    }
    for (const name of statement.principals.Federated ?? []) providers.add(name)
  }
  return {
    principals: [...principals.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    providers: [...providers].sort(),
  }
}

/** Which of these actions no statement allows to this very principal, or to its whole account; conditions are not judged. */
export function missingInTrust(
  statements: readonly PolicyStatement[],
  principalArn: string,
  actions: readonly string[],
): string[] {
  const [, partition = '', , , account = ''] = principalArn.split(':')
  const names = new Set(['*', principalArn, account, `arn:${partition}:iam::${account}:root`])
  const ours = statements.filter(({ principals }) => (principals.AWS ?? []).some((name) => names.has(name)))
  return actions.filter((action) => !ours.some((statement) => allows(statement, action)))
}

function allowsWeb(statement: PolicyStatement): boolean {
  return allows(statement, 'sts:AssumeRoleWithWebIdentity')
}

function allows({ isAllow, isAllBut, actions }: PolicyStatement, action: string): boolean {
  return isAllow && actions.some((pattern) => matchesAction(pattern, action)) !== isAllBut
}

const mostNamed = 3

/** For texts: the first of them, and how many more. */
export function few(names: readonly string[]): string {
  const more = names.length - mostNamed
  return `${names.slice(0, mostNamed).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}
