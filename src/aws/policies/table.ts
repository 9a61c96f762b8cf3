import type { Kinds } from '../../catalog/kind.ts'
import type {
  BaseDocument,
  PolicyDocument,
  PolicyPart,
  PolicyValue,
  SessionDocumentPart,
  Statement,
} from '../../catalog/policy-part.ts'
import type { TokenDemands } from '../../config/config.ts'
import { dataPolicies } from '../estate/data-policies.ts'
import { placePolicies } from '../estate/policies.ts'
import { eventPolicies } from '../events/policies.ts'
import { identityCenterKeyPolicies, identityCenterPolicies } from '../identity-center/policies.ts'
import { managementPushPolicies } from '../identity-center/push-policies.ts'
import { organizationPolicies } from '../organization/policies.ts'
import { baseDocuments } from './base.ts'

/**
 * Every policy document that a user must install, in one table: what Sallyport may do, and why. The needs of every
 * installation are here, those of a kind come from the kind. Everything else renders this table: the command `aws policies`, deploy/terraform,
 * deploy/cloudformation. Values of an installation stand as `{{name}}`; IAM's own variables are written as IAM has them.
 */
export interface PolicyTable {
  /** What may be chosen, sorted. */
  readonly features: readonly string[]
  readonly base: Readonly<Record<BaseDocument, PolicyEntry>>
  /** Documents that kinds bring. */
  readonly own: Readonly<Record<string, PolicyEntry>>
  readonly sessionDocuments: readonly (SessionDocumentPart & { readonly feature: string })[]
  /** Values that only the statements of kinds have. */
  readonly values: Readonly<Record<string, PolicyValue>>
}

/** Trust model of an account's roles. */
export const trusts = ['hub', 'web_identity'] as const
export type Trust = (typeof trusts)[number]

/** Values that every installation has. */
export interface BaseValues {
  /** aws, aws-cn or aws-us-gov */
  readonly partition: string
  /** ARN of the identity that the daemon runs as. */
  readonly compute: string
  /** ARN of the hub role. */
  readonly hubRole: string
  /** Its name, with its path. */
  readonly hubName: string
  readonly externalId: string
  /** `o-…` */
  readonly organization: string
  /** The account in question. */
  readonly account: string
  /** Name of the spoke role, with its path: aws.connect_role. */
  readonly connectRole: string
  /** Name of the boundary policy, with its path: aws.revocation_policy. */
  readonly revocationPolicy: string
  /** Of the OpenID provider, without https://. */
  readonly issuer: string
  /** The broker's client id there. */
  readonly clientId: string
  /** Pattern of the subjects whose tokens count. */
  readonly subject: string
}

/** What differs between installations: also the values of kinds, by their names. */
export type Values = BaseValues & Readonly<Record<string, string>>

export interface PolicyEntry extends Omit<PolicyDocument, 'name' | 'statements'> {
  /** Left out: always. */
  readonly feature?: string
  readonly statements: readonly (Statement & { readonly feature?: string })[]
}

/** Without a statement of its own: sessions of roles are what every installation is for. */
const baseFeature = 'roles'

/**
 * The table for these kinds. Parts are in the order of their features, so that no template changes when the list of kinds is
 * put in another order.
 * @param demands of an ID token; omitted: the subject alone
 */
export function policiesOf(kinds: Kinds, demands?: TokenDemands): PolicyTable {
  const parts = partsOf(kinds)
  const own = parts.flatMap(({ feature, documents = [] }) =>
    documents.map(({ name, ...document }): [string, PolicyEntry] => [name, { ...document, feature }]),
  )
  const complete = (id: BaseDocument): PolicyEntry => {
    const { statements, ...document } = baseDocuments[id]
    return { ...document, statements: [...statements, ...statementsFor(id, parts)] }
  }
  return {
    features: [...new Set([baseFeature, ...parts.map(({ feature }) => feature)])].sort(),
    base: {
      hubTrust: complete('hubTrust'),
      hubPermissions: complete('hubPermissions'),
      spokeTrust: complete('spokeTrust'),
      spokePermissions: complete('spokePermissions'),
      roleTrust: complete('roleTrust'),
      roleWebIdentityTrust: demanding(complete('roleWebIdentityTrust'), demands),
    },
    own: Object.fromEntries(own),
    sessionDocuments: parts.flatMap(({ feature, sessionDocuments = [] }) =>
      sessionDocuments.map((document) => ({ ...document, feature })),
    ),
    values: Object.fromEntries(parts.flatMap(({ values = {} }) => Object.entries(values))),
  }
}

/** Providers differ in what they send, so only what is configured is demanded; each condition must hold. */
function demanding(entry: PolicyEntry, { amr = null, tags = {} }: Partial<TokenDemands> = {}): PolicyEntry {
  const tagged = Object.entries(tags).map(([key, value]) => [`aws:RequestTag/${key}`, value])
  const more = (conditions: NonNullable<Statement['conditions']> = {}): NonNullable<Statement['conditions']> => ({
    ...conditions,
    StringEquals: { ...conditions.StringEquals, ...Object.fromEntries(tagged) },
    ...(amr === null ? {} : { 'ForAnyValue:StringEquals': { '{{issuer}}:amr': amr } }),
  })
  return { ...entry, statements: entry.statements.map((one) => ({ ...one, conditions: more(one.conditions) })) }
}

/** What the broker itself may do that belongs to no kind. */
const ownParts: readonly PolicyPart[] = [
  managementPushPolicies,
  eventPolicies,
  identityCenterPolicies,
  identityCenterKeyPolicies,
  organizationPolicies,
  dataPolicies,
  placePolicies,
]

/** Each part once: kinds of one family share theirs. */
function partsOf(kinds: Kinds): PolicyPart[] {
  const parts = new Set([...ownParts, ...kinds.flatMap(({ policies = [] }) => policies)])
  return [...parts].sort((a, b) => a.feature.localeCompare(b.feature))
}

function statementsFor(id: BaseDocument, parts: readonly PolicyPart[]): PolicyEntry['statements'] {
  return parts.flatMap(({ feature, statements = [] }) =>
    statements.filter(({ document }) => document === id).map(({ statement }) => ({ ...statement, feature })),
  )
}

/** Which of them an installation needs. */
export interface Choice {
  readonly features: readonly string[]
  readonly trusts: readonly Trust[]
  /** Of an ID token; left out: the subject alone. */
  readonly idToken?: TokenDemands | undefined
}

export function everything({ features }: PolicyTable): Choice {
  return { features, trusts }
}

/** @returns entries with the statements that the choice needs, in the order of the table */
export function choosePolicies({ base, own }: PolicyTable, choice: Choice): (PolicyEntry & { readonly id: string })[] {
  return Object.entries<PolicyEntry>({ ...base, ...own })
    .filter(([, { trust, feature }]) => trust.some((one) => choice.trusts.includes(one)) && isChosen(choice, feature))
    .map(([id, entry]) => ({ ...narrow(choice, entry), id }))
}

export function chooseSessionDocuments({ sessionDocuments }: PolicyTable, choice: Choice): SessionDocumentPart[] {
  return sessionDocuments.filter(({ feature }) => isChosen(choice, feature))
}

/** Features of the choice that no document for its trusts serves, so that what is printed would leave them out without a word. */
export function unservedFeatures({ base, own }: PolicyTable, { features, trusts }: Choice): string[] {
  const served = Object.values<PolicyEntry>({ ...base, ...own })
    .filter(({ trust }) => trust.some((one) => trusts.includes(one)))
    .flatMap(({ feature, statements }) => [feature, ...statements.map((statement) => statement.feature)])
  return features.filter((feature) => feature !== baseFeature && !served.includes(feature))
}

/** The entry with the statements that the choice needs. */
export function narrow(choice: Choice, entry: PolicyEntry): PolicyEntry {
  return { ...entry, statements: entry.statements.filter(({ feature }) => isChosen(choice, feature)) }
}

function isChosen({ features }: Choice, feature: string | undefined): boolean {
  return feature === undefined || features.includes(feature)
}

/** Names of the documents of a choice that no template has. */
export function untemplated(table: PolicyTable, choice: Choice): string[] {
  return choosePolicies(table, choice).flatMap(({ id, isByRules }) => (isByRules ? [id] : []))
}

/** What a choice needs in the templates of an account or a role. */
export function needsOf(table: PolicyTable, choice: Choice) {
  const { base, own, values } = table
  const isHub = choice.trusts.includes('hub')
  const chosen = Object.entries(own).filter(([, { feature }]) => isChosen(choice, feature))
  const spokeTrust = narrow(choice, base.spokeTrust)
  const spokePermissions = narrow(choice, base.spokePermissions)
  const valuesIn = (...entries: readonly PolicyEntry[]) =>
    Object.keys(values).filter((name) => JSON.stringify(entries).includes(`{{${name}}}`))
  return {
    isHub,
    /** Values that the template of the hub asks for. */
    hubValues: valuesIn(narrow(choice, base.hubPermissions)),
    isPersonal: choice.trusts.includes('web_identity'),
    spokeTrust,
    spokePermissions,
    /** Values of kinds that the template of an account asks for. */
    accountValues: isHub ? valuesIn(spokeTrust, spokePermissions) : [],
    /** The permissions boundary of revocable roles. */
    boundary: isHub ? chosen.find(([name]) => name === 'boundary')?.[1] : undefined,
    /** What a role may have besides, by feature, each with the values it asks for. */
    additions: chosen.flatMap(([, entry]) =>
      entry.feature === undefined || entry.optional === undefined
        ? []
        : [{ entry, feature: entry.feature, ...entry.optional, values: valuesIn(entry) }],
    ),
  }
}
