/**
 * Every policy document that a user must install, in one table: what Sallyport may do, and why. Everything else renders it: the
 * command `aws policies`, deploy/terraform, deploy/cloudformation. Values of an installation stand as `{{name}}`; IAM's own
 * variables are written as IAM has them.
 */
export const features = ['roles', 'databases', 'revocation'] as const
export type Feature = (typeof features)[number]

/** Whom the roles of an account trust. */
export const trusts = ['hub', 'web_identity'] as const
export type Trust = (typeof trusts)[number]

/** What differs between installations. */
export interface Values {
  /** aws, aws-cn or aws-us-gov */
  readonly partition: string
  /** ARN of the identity that the daemon runs as. */
  readonly compute: string
  /** ARN of the hub role. */
  readonly hubRole: string
  readonly externalId: string
  /** `o-…` */
  readonly organization: string
  /** The account in question. */
  readonly account: string
  /** Name of the spoke role, with its path: aws.connect_role. */
  readonly connectRole: string
  /** Name of the boundary policy, with its path: aws.revocation_policy. */
  readonly revocationPolicy: string
  /** Names of the database users, with wildcards. */
  readonly databaseUsers: string
  /** Of the OpenID provider, without https://. */
  readonly issuer: string
  /** The broker's client id there. */
  readonly clientId: string
}
export type ValueName = keyof Values

export interface Statement {
  readonly sid: string
  /** Left out: always. */
  readonly feature?: Feature
  readonly principal?: { readonly AWS: string } | { readonly Federated: string }
  /** Action by action, with the reason. */
  readonly actions: Readonly<Record<string, string>>
  /** Of permissions; trust policies have none. */
  readonly resources?: readonly string[]
  readonly conditions?: Readonly<Record<string, Readonly<Record<string, string>>>>
}

export type PolicyId = keyof typeof policies

export interface PolicyEntry {
  readonly title: string
  readonly where: 'hub account' | 'each account' | 'each brokered role'
  readonly trust: readonly Trust[]
  /** Left out: always. */
  readonly feature?: Feature
  readonly statements: readonly Statement[]
}

const spokeArn = 'arn:{{partition}}:iam::{{account}}:role/{{connectRole}}'
const decorate = {
  'sts:TagSession': 'sessions carry the person, the grant, the session and the request',
  'sts:SetSourceIdentity': 'CloudTrail names the person in every line',
}

export const policies = {
  hubTrust: {
    title: 'trust policy of the hub role',
    where: 'hub account',
    trust: ['hub'],
    statements: [
      {
        sid: 'ComputeMayAssume',
        principal: { AWS: '{{compute}}' },
        actions: { 'sts:AssumeRole': 'the daemon becomes the hub' },
        conditions: { StringEquals: { 'sts:ExternalId': '{{externalId}}' } },
      },
    ],
  },
  hubPermissions: {
    title: 'permissions of the hub role',
    where: 'hub account',
    trust: ['hub'],
    statements: [
      {
        sid: 'CallSpokes',
        actions: { 'sts:AssumeRole': 'the hub becomes the spoke of an account', ...decorate },
        resources: ['arn:{{partition}}:iam::*:role/{{connectRole}}'],
        conditions: { StringEquals: { 'aws:ResourceOrgID': '{{organization}}' } },
      },
    ],
  },
  spokeTrust: {
    title: 'trust policy of the spoke role',
    where: 'each account',
    trust: ['hub'],
    statements: [
      {
        sid: 'HubMayAssume',
        principal: { AWS: '{{hubRole}}' },
        actions: { 'sts:AssumeRole': 'the hub, with this installation’s ExternalId and no other' },
        conditions: { StringEquals: { 'sts:ExternalId': '{{externalId}}' } },
      },
      {
        // AWS knows no ExternalId for these: a condition on it would never match.
        sid: 'HubMayTag',
        feature: 'databases',
        principal: { AWS: '{{hubRole}}' },
        actions: decorate,
      },
    ],
  },
  spokePermissions: {
    title: 'permissions of the spoke role',
    where: 'each account',
    trust: ['hub'],
    statements: [
      {
        sid: 'MintSessionsForManagedRoles',
        actions: { 'sts:AssumeRole': 'sessions of roles of this account that are tagged for it, and of no others' },
        resources: ['arn:{{partition}}:iam::{{account}}:role/*'],
        conditions: { StringEquals: { 'aws:ResourceTag/sallyport:managed': 'true' } },
      },
      {
        sid: 'DecorateSessions',
        actions: decorate,
        resources: ['arn:{{partition}}:iam::{{account}}:role/*'],
      },
      {
        sid: 'SignInToDatabases',
        feature: 'databases',
        actions: { 'rds-db:connect': 'databases whose entry names no role of their own' },
        resources: ['arn:{{partition}}:rds-db:*:{{account}}:dbuser:*/{{databaseUsers}}'],
      },
      {
        sid: 'RevocationBoundaryOnly',
        feature: 'revocation',
        actions: {
          'iam:GetPolicy': 'finds the version in force',
          'iam:GetPolicyVersion': 'reads the deny list, and keeps what else is in it',
          'iam:ListPolicyVersions': 'finds the oldest version: IAM keeps five',
          'iam:CreatePolicyVersion': 'adds a revoked grant to the deny list',
          'iam:DeletePolicyVersion': 'makes room for the next',
        },
        resources: ['arn:{{partition}}:iam::{{account}}:policy/{{revocationPolicy}}'],
      },
    ],
  },
  roleTrust: {
    title: 'trust policy of a brokered role; the role is tagged sallyport:managed=true',
    where: 'each brokered role',
    trust: ['hub'],
    statements: [
      {
        sid: 'SallyportMayAssume',
        principal: { AWS: spokeArn },
        actions: { 'sts:AssumeRole': 'only for a person and a grant' },
        conditions: { StringLike: { 'sts:SourceIdentity': '?*', 'aws:RequestTag/sallyport:grant': 'grt_*' } },
      },
      { sid: 'SallyportMayTag', principal: { AWS: spokeArn }, actions: decorate },
    ],
  },
  roleWebIdentityTrust: {
    title: 'trust policy of a brokered role that takes the person’s own ID token and nothing else',
    where: 'each brokered role',
    trust: ['web_identity'],
    statements: [
      {
        sid: 'OwnTokenOnly',
        principal: { Federated: 'arn:{{partition}}:iam::{{account}}:oidc-provider/{{issuer}}' },
        actions: {
          'sts:AssumeRoleWithWebIdentity': 'with an ID token that was issued for the broker',
          ...decorate,
        },
        conditions: { StringEquals: { '{{issuer}}:aud': '{{clientId}}' } },
      },
    ],
  },
  roleDatabases: {
    title: 'permissions of a role through which databases are signed in to',
    where: 'each brokered role',
    trust: ['hub'],
    feature: 'databases',
    statements: [
      {
        sid: 'SignInToDatabases',
        actions: { 'rds-db:connect': 'as these users; each session is cut down to one user of one database' },
        resources: ['arn:{{partition}}:rds-db:*:{{account}}:dbuser:*/{{databaseUsers}}'],
      },
    ],
  },
  boundary: {
    title:
      'first version of the policy that is the permissions boundary of revocable roles; the broker adds and removes denials',
    where: 'each account',
    trust: ['hub'],
    feature: 'revocation',
    statements: [
      {
        sid: 'Ceiling',
        actions: { '*': 'a boundary grants nothing by itself; put a tighter ceiling here if you have one' },
        resources: ['*'],
      },
    ],
  },
} as const satisfies Readonly<Record<string, PolicyEntry>>

/** Which of them an installation needs. */
export interface Choice {
  readonly features: readonly Feature[]
  readonly trusts: readonly Trust[]
}

export const everything: Choice = { features, trusts }

/** What a choice comes to in the templates of an account or a role. */
export function needsOf({ features: chosen, trusts: models }: Choice) {
  const isHub = models.includes('hub')
  return {
    isHub,
    isPersonal: models.includes('web_identity'),
    isRevocable: isHub && chosen.includes('revocation'),
    isForDatabases: chosen.includes('databases'),
  }
}

/** @returns entries with the statements that the choice needs, in the order of the table */
export function choosePolicies(choice: Choice): (PolicyEntry & { readonly id: PolicyId })[] {
  return (Object.entries(policies) as [PolicyId, PolicyEntry][])
    .filter(([, { trust, feature }]) => trust.some((one) => choice.trusts.includes(one)) && isChosen(choice, feature))
    .map(([id, entry]) => ({ ...narrow(choice, entry), id }))
}

/** The entry with the statements that the choice needs. */
export function narrow(choice: Choice, entry: PolicyEntry): PolicyEntry {
  return { ...entry, statements: entry.statements.filter(({ feature }) => isChosen(choice, feature)) }
}

function isChosen({ features: chosen }: Choice, feature: Feature | undefined): boolean {
  return feature === undefined || chosen.includes(feature)
}

/** A document as IAM takes it, its values still to be filled in. */
export function toDocument({ statements }: Pick<PolicyEntry, 'statements'>) {
  return {
    Version: '2012-10-17',
    Statement: statements.map(({ sid, principal, actions, resources, conditions }) => ({
      Sid: sid,
      Effect: 'Allow',
      ...(principal ? { Principal: principal } : {}),
      Action: alone(Object.keys(actions)),
      ...(resources ? { Resource: alone(resources) } : {}),
      ...(conditions ? { Condition: conditions } : {}),
    })),
  }
}

const alone = (list: readonly string[]) => (list.length === 1 ? list[0] : list)

/** Action: reason, of all statements. */
export function reasonsOf({ statements }: Pick<PolicyEntry, 'statements'>): Readonly<Record<string, string>> {
  return Object.assign({}, ...statements.map(({ actions }) => actions)) as Record<string, string>
}

/** @param write what stands for a value; also given every other piece of text, so that it can be quoted */
export function fill(text: string, write: (name: ValueName) => string, quote = (piece: string) => piece): string {
  return text
    .split(/(\{\{\w+\}\})/)
    .map((piece) => {
      const name = /^\{\{(\w+)\}\}$/.exec(piece)?.[1]
      return name === undefined ? quote(piece) : write(name as ValueName)
    })
    .join('')
}

/** A reference in the text of a template, as both Terraform and CloudFormation write it. */
export function ref(name: string): string {
  return `\${${name}}`
}
