import type { SessionGateway } from '../ssm/gateway.ts'
import type { StartWork } from '../ssm/work.ts'
import type { ChangingAssignments } from './assignment.ts'
import type { Queue } from './queue.ts'

/** The accounts, users and roles that the double pretends to be: plain data, read at each call, so tests may change it. */
export interface World {
  organizationId: string
  /** Regions whose endpoints exist; a credential scope must name one. */
  regions: string[]
  /** Of those, what an account has not switched on. */
  regionsOff?: Record<string, string[]>
  /** How lists of resources are paged. */
  lists: ListPages
  users: User[]
  roles: Role[]
  /** Managed policies of the customer's. */
  managedPolicies: ManagedPolicy[]
  /** IAM OIDC providers, by ARN. */
  oidcProviders: OidcProvider[]
  /** What `s3:ListBuckets` shows, by account. */
  buckets: Record<string, string[]>
  instances: Instance[]
  sessionDocuments: SessionDocument[]
  /** ARNs of keys of KMS. */
  keys: string[]
  clusters: Cluster[]
  rds: { instances: RdsInstance[]; clusters: RdsCluster[] }
  /** Left out: no account belongs to one. */
  organization?: Organization
  /** Left out: it is not enabled. */
  identityCenter?: IdentityCenter
  /** Each with the accounts that it holds for. */
  serviceControlPolicies?: { accounts: string[]; document: PolicyDocument }[]
  /** Standard queues of SQS; left out: there are none. */
  queues?: Queue[]
  /** Contents of objects by bucket and key; left out: there are none. */
  objects?: Record<string, Record<string, Buffer>>
}

export interface ListPages {
  /** Items in a page at most; AWS may give fewer than was asked for. */
  pageSize: number
  /** Before each page that has items stands an empty one. */
  hasEmptyPages: boolean
}

/** IAM Identity Center of the organization, with its identity store. */
export interface IdentityCenter extends ChangingAssignments {
  /** `ssoins-` and 16 characters. */
  instanceId: string
  /** `d-` and 10 hexadecimal digits. */
  identityStoreId: string
  /** Its home. */
  region: string
  status: 'CREATE_IN_PROGRESS' | 'ACTIVE' | 'DELETE_IN_PROGRESS'
  /** The management account. */
  ownerAccount: string
  /** Accounts that may administer it too. */
  delegatedAdministrators: string[]
  users: IdentityCenterUser[]
  groups: IdentityCenterGroup[]
  permissionSets: IdentityCenterPermissionSet[]
  /** Items in a page at most. */
  pageSize: number
  hasEmptyPages: boolean
}

export interface IdentityCenterUser {
  /** A UUID, with or without ten digits before it. */
  id: string
  userName: string
  displayName: string
  email: string | null
  isEnabled: boolean
  /** In the provider that pushes it; null: it was made here. */
  externalId: string | null
}

export interface IdentityCenterGroup {
  id: string
  name: string
  description: string
  externalId: string | null
  members: { membershipId: string; userId: string }[]
}

export interface IdentityCenterPermissionSet {
  /** `ps-` and 16 characters. */
  id: string
  name: string
  description: string
  /** `PT8H` */
  sessionDuration: string
  tags: Record<string, string>
  /** ARNs of AWS's own policies. */
  managedPolicies: string[]
  customerPolicies: PolicyReference[]
  /** JSON; empty: none. */
  inlinePolicy: string
  /** An ARN of AWS's own, or a reference; null: none. */
  boundary: string | PolicyReference | null
  /** Accounts that have its role. */
  provisionedIn: string[]
}

/** A customer's policy, which each account has for itself. */
export interface PolicyReference {
  name: string
  path: string
}

/** An organization of AWS Organizations; its id is the world's `organizationId`. */
export interface Organization {
  managementAccount: string
  /** `r-…` */
  root: string
  units: OrganizationUnit[]
  accounts: OrganizationAccount[]
  /** Accounts that are delegated administrators, by the services that they are it for. */
  delegatedAdministrators: Record<string, string[]>
  /** Items in a page at most; AWS may give fewer than was asked for. */
  pageSize: number
  /** Before each page that has items stands an empty one. */
  hasEmptyPages: boolean
  /** Accounts say where they are; not all endpoints of AWS do. */
  hasPaths: boolean
}

export interface OrganizationUnit {
  /** `ou-…` with the part of the root's id. */
  id: string
  name: string
  /** A unit or the root. */
  parent: string
  tags: Record<string, string>
}

export interface OrganizationAccount {
  id: string
  name: string
  email: string
  state: 'PENDING_ACTIVATION' | 'ACTIVE' | 'SUSPENDED' | 'PENDING_CLOSURE' | 'CLOSED'
  /** Epoch milliseconds. */
  joinedAt: number
  /** A unit or the root. */
  parent: string
  tags: Record<string, string>
}

/** An EKS cluster. */
export interface Cluster {
  name: string
  account: string
  region: string
  /** Host name of its API server, in lower case. */
  endpoint: string
  /** PEM of its own authority. */
  ca: string
  /** `1.33` */
  version: string
  /** Epoch milliseconds. */
  createdAt: number
  /** Left out: ACTIVE. While it is made it has neither endpoint nor authority. */
  status?: 'CREATING' | 'ACTIVE' | 'DELETING' | 'FAILED' | 'UPDATING' | 'PENDING'
  tags?: Record<string, string>
  /** Of its endpoint; left out: reached from anywhere, and from within. */
  access?: { isPublic: boolean; isPrivate: boolean; publicCidrs: string[] }
  authenticationMode: 'API' | 'API_AND_CONFIG_MAP' | 'CONFIG_MAP'
  hasAuditLog: boolean
  accessEntries: ClusterEntry[]
  /** What its ConfigMap `aws-auth` maps; ARNs without path. */
  awsAuth: { roleArn: string; username: string; groups: string[] }[]
}

/** What instances and clusters of RDS have alike. */
interface RdsDatabase {
  /** Identifier: lower-case letters, digits and hyphens. */
  name: string
  account: string
  region: string
  /** `postgres`, `aurora-mysql`; also `neptune` and `docdb`, which the same API lists. */
  engine: string
  version: string
  status: string
  /** Null: it is still being made. */
  endpoint: { host: string; port: number } | null
  /** That was made with it. */
  database: string | null
  hasIam: boolean
  /** Epoch milliseconds. */
  createdAt: number
  tags: Record<string, string>
}

export interface RdsInstance extends RdsDatabase {
  /** DbiResourceId, `db-…`. */
  resourceId: string
  isPublic: boolean
  ca: string
  /** That it is a member of. */
  cluster: string | null
}

export interface RdsCluster extends RdsDatabase {
  /** DbClusterResourceId, `cluster-…`. */
  resourceId: string
  /** Host name. */
  reader: string | null
  custom: { name: string; host: string }[]
  /** Names of instances. */
  members: string[]
  /** Which of them writes. */
  writer: number
}

/** An access entry. */
export interface ClusterEntry {
  /** With its path. */
  principalArn: string
  /** AROA…: of the role that had this ARN when the entry was made. EKS shows it nowhere. */
  principalId: string
  username: string
  type: 'STANDARD' | 'EC2_LINUX'
  groups: string[]
  /** By their names, each with the namespaces that it is for; null: the whole cluster. */
  policies: { name: string; namespaces: string[] | null }[]
}

/** An EC2 instance, by default with an SSM agent. */
export interface Instance {
  /** `i-` and 17 hexadecimal digits. */
  id: string
  account: string
  region: string
  agentVersion: string
  /** Its agent is connected. */
  isOnline: boolean
  tags: Record<string, string>
  /** Left out: it runs. */
  state?: 'pending' | 'running' | 'shutting-down' | 'terminated' | 'stopping' | 'stopped'
  /** True: Systems Manager has never heard of it. */
  hasNoAgent?: boolean
  platform?: 'Linux' | 'Windows'
  privateAddress?: string
  vpc?: string
  /** ARN of its instance profile. */
  profile?: string
  /** Of its metadata: with tokens alone (the default), also without, or not at all. */
  imds?: 'required' | 'optional' | 'off'
  /** Epoch milliseconds. */
  launchedAt?: number
  /** What its network leads to, by `host:port`: other names are resolved as this machine does. */
  reaches: Record<string, { host: string; port: number }>
  /** Of its agent, after each message; 1 by default. */
  pauseMs?: number
  /** That its agent is at; left out: that of the sandbox. */
  gateway?: SessionGateway
  /** What shells at it are; a real one by default. */
  shell?: StartWork
  /** Folder with its `bin` and `etc`, where commands use those; else this machine's. */
  root?: string
}

export function instanceState({ state = 'running' }: Instance): NonNullable<Instance['state']> {
  return state
}

/** An SSM document of the type Session. */
export interface SessionDocument {
  name: string
  /** Empty: AWS's own. */
  account: string
  region: string
  /** The last is the default. */
  versions: SessionDocumentContent[]
}

/** Schema 1.0 of session documents. */
export interface SessionDocumentContent {
  readonly schemaVersion: '1.0'
  readonly description?: string
  readonly sessionType: string
  readonly inputs?: Readonly<Record<string, unknown>>
  readonly parameters?: Readonly<Record<string, SessionDocumentParameter>>
  readonly properties?: Readonly<Record<string, unknown>>
}

export interface SessionDocumentParameter {
  readonly type: string
  readonly description?: string
  readonly default?: string
  readonly allowedPattern?: string
  readonly allowedValues?: readonly string[]
}

export interface ManagedPolicy {
  /** With its path. */
  arn: string
  /** Oldest first; `v1`, `v2` … are never used again. */
  versions: PolicyVersion[]
  defaultVersion: string
  /** Number of the next version. */
  next: number
}

export interface PolicyVersion {
  id: string
  document: PolicyDocument
  createdAt: number
}

/** `arn:aws:iam::ACCOUNT:oidc-provider/HOST…`: whose ID tokens the account believes, and for which audiences. */
export interface OidcProvider {
  arn: string
  /** Issuer with its scheme. AWS demands https; loopback may do without here. */
  issuer: string
  clientIds: string[]
}

/** A principal with long-term keys. */
export interface User {
  arn: string
  /** AIDA… */
  userId: string
  accessKeyId: string
  secretAccessKey: string
  policies: PolicyDocument[]
  tags: Record<string, string>
}

export interface Role {
  /** With its path. */
  arn: string
  /** AROA… */
  roleId: string
  trust: PolicyDocument
  policies: PolicyDocument[]
  /** Of those, in their order; left out: `inline-1` … */
  policyNames?: string[]
  /** ARNs of managed policies; of AWS's own only those count that the world has. */
  attached?: string[]
  /** ARNs of instance profiles that hold it. */
  profiles?: string[]
  /** Epoch milliseconds. */
  createdAt?: number
  /** Epoch milliseconds; left out: AWS has seen no use of it. */
  lastUsedAt?: number
  /** By the services that it may use: when it was used for it last, in epoch milliseconds; null: never. */
  services?: Record<string, { name: string; lastUsedAt: number | null; region?: string }>
  /** Permissions boundary: a document, or the ARN of a managed policy, whose default version then counts. */
  boundary?: PolicyDocument | string
  /** 3600–43200. */
  maxSessionSeconds: number
  tags: Record<string, string>
}

/** A policy as it is written; `parsePolicy` judges it. */
export type PolicyDocument = Readonly<Record<string, unknown>>

/** Account of `arn:partition:service:region:ACCOUNT:rest`. */
export function accountOf(arn: string): string {
  return arn.split(':')[4] ?? ''
}

/** @returns the default version's document; null when there is no such policy, so that nothing is allowed */
export function documentOf(world: World, boundary: PolicyDocument | string): PolicyDocument | null {
  if (typeof boundary !== 'string') return boundary
  const policy = world.managedPolicies.find(({ arn }) => arn === boundary)
  return policy?.versions.find(({ id }) => id === policy.defaultVersion)?.document ?? null
}

export function findRole(world: World, arn: string): Role | undefined {
  return world.roles.find((role) => role.arn === arn)
}
