import type { Instance, PolicyDocument, Role, SessionDocument, World } from './aws/world.ts'
import { createDatabases } from './databases-world.ts'

/**
 * The sandbox's AWS: account 111111111111 holds the daemon's own identity and the hub, account 111122223333 databases and roles,
 * account 444455556666 a role that trusts nobody but the company's identity provider.
 * The documents are those that `specs/aws.md` 2 tells an installation to use.
 */
export const accounts = { hub: '111111111111', data: '111122223333', web: '444455556666' } as const
export const region = 'eu-west-1'
export const externalId = '9f8c7b6a-0000-4000-8000-000000000001'
export const computeKeys = {
  accessKeyId: 'AKIASANDBOXCOMPUTE01',
  secretAccessKey: 'sandbox/compute+secret/key/that/is/fake0',
} as const

export const arns = {
  compute: `arn:aws:iam::${accounts.hub}:user/sallyport-compute`,
  hub: `arn:aws:iam::${accounts.hub}:role/SallyportHub`,
  connect: `arn:aws:iam::${accounts.data}:role/sallyport/SallyportConnect`,
  databases: `arn:aws:iam::${accounts.data}:role/sallyport/SallyportDatabases`,
  reports: `arn:aws:iam::${accounts.data}:role/ReportsReader`,
  deploy: `arn:aws:iam::${accounts.data}:role/teams/shop/Deployer`,
  personal: `arn:aws:iam::${accounts.web}:role/Personal`,
  reach: `arn:aws:iam::${accounts.data}:role/sallyport-reach`,
  shells: `arn:aws:iam::${accounts.data}:role/sallyport/SallyportShells`,
  clusterView: `arn:aws:iam::${accounts.data}:role/sallyport/web-view`,
  revocations: `arn:aws:iam::${accounts.data}:policy/sallyport/SallyportRevocations`,
} as const

/** The databases of the sandbox: DbiResourceId and endpoint name of each. */
export const instances = {
  orders: { resourceId: 'db-ORDERSSANDBOX0000000000001', endpoint: `orders.abc123.${region}.rds.amazonaws.com` },
  billing: { resourceId: 'db-BILLINGSANDBOX000000000001', endpoint: `billing.abc123.${region}.rds.amazonaws.com` },
} as const

/** The same of its MySQL database. */
export const mysqlInstances = {
  shop: { resourceId: 'db-SHOPSANDBOX00000000000001', endpoint: `shop.abc123.${region}.rds.amazonaws.com` },
} as const

/** Instances whose network leads to databases that nothing else reaches. */
export const bastions = { first: 'i-0b45710a000000001', second: 'i-0b45710a000000002' } as const

/** An instance that people get shells on. */
export const shellInstance = 'i-0a1b2c3d4e5f60718'
/** That encrypts sessions. */
export const shellKey = `arn:aws:kms:${region}:${accounts.data}:key/1234abcd-12ab-34cd-56ef-1234567890ab`

/** @param oidc the company's OpenID provider, as the account with `web_identity` knows it */
export function createWorld(oidc = { issuer: 'https://login.example.com', clientId: 'sallyport' }): World {
  return {
    organizationId: 'o-exampleorgid',
    regions: [region, 'us-east-1'],
    lists: { pageSize: 1000, hasEmptyPages: false },
    users: [
      {
        arn: arns.compute,
        userId: 'AIDASANDBOXCOMPUTE01',
        ...computeKeys,
        policies: [allow(['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'], arns.hub)],
        tags: {},
      },
    ],
    roles: [hub(), connect(), databases(), reports(), deploy(), personal(oidc), reach(), shells(), clusterView()],
    managedPolicies: [
      {
        arn: arns.revocations,
        versions: [{ id: 'v1', document: ceiling, createdAt: 0 }],
        defaultVersion: 'v1',
        next: 2,
      },
      {
        arn: 'arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess',
        versions: [{ id: 'v1', document: allow(['s3:Get*', 's3:List*'], '*'), createdAt: 0 }],
        defaultVersion: 'v1',
        next: 2,
      },
    ],
    oidcProviders: [{ arn: providerArn(oidc.issuer), issuer: oidc.issuer, clientIds: [oidc.clientId] }],
    buckets: { [accounts.data]: ['shop-reports', 'shop-exports'], [accounts.web]: ['personal-notes'] },
    instances: [...Object.values(bastions).map(bastion), web()],
    sessionDocuments: [
      databasePorts(),
      clusterPorts(),
      shellDocument(),
      commandDocument(),
      sealedDocument(),
      forwardedPorts(),
    ],
    keys: [shellKey],
    clusters: [],
    rds: {
      instances: createDatabases({ account: accounts.data, region }, { ...instances, ...mysqlInstances }),
      clusters: [],
    },
  }
}

function hub(): Role {
  return {
    arn: arns.hub,
    roleId: 'AROASANDBOXHUB000001',
    trust: trust(arns.compute, { StringEquals: { 'sts:ExternalId': externalId } }),
    policies: [
      policy({
        Sid: 'CallSpokes',
        Effect: 'Allow',
        Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'],
        Resource: 'arn:aws:iam::*:role/sallyport/SallyportConnect',
        Condition: { StringEquals: { 'aws:ResourceOrgID': 'o-exampleorgid' } },
      }),
      allow(organizationReads, '*'),
      allow(identityCenterReads, '*'),
      allow('iam:SimulatePrincipalPolicy', arns.hub),
      allow('kms:Decrypt', 'arn:aws:kms:*:*:key/*'),
      allow(eventReads, [`arn:aws:sqs:*:${accounts.hub}:sallyport-events*`, 'arn:aws:s3:::example-org-trail/*']),
    ],
    maxSessionSeconds: 3600,
    tags: {},
  }
}

const organizationReads = [
  'DescribeOrganization',
  'ListRoots',
  'ListOrganizationalUnitsForParent',
  'ListAccounts',
  'ListAccountsForParent',
  'ListParents',
  'DescribeAccount',
  'DescribeOrganizationalUnit',
  'DescribeAccount',
  'ListTagsForResource',
].map((operation) => `organizations:${operation}`)

const eventReads = [
  'sqs:ReceiveMessage',
  'sqs:DeleteMessage',
  'sqs:ChangeMessageVisibility',
  'sqs:GetQueueAttributes',
  'sqs:SendMessage',
  's3:GetObject',
]

const identityCenterReads = [
  'sso:ListInstances',
  'sso:ListPermissionSets',
  'sso:DescribePermissionSet',
  'sso:ListTagsForResource',
  'sso:ListManagedPoliciesInPermissionSet',
  'sso:ListCustomerManagedPolicyReferencesInPermissionSet',
  'sso:GetInlinePolicyForPermissionSet',
  'sso:GetPermissionsBoundaryForPermissionSet',
  'sso:ListAccountsForProvisionedPermissionSet',
  'sso:ListAccountAssignmentsForPrincipal',
  'sso:ListAccountAssignments',
  'identitystore:ListUsers',
  'identitystore:GetUserId',
  'identitystore:DescribeUser',
  'identitystore:ListGroups',
  'identitystore:DescribeGroup',
  'identitystore:ListGroupMemberships',
]

/** The spoke. It may sign in to databases itself, and mint sessions of roles that are tagged as managed. */
function connect(): Role {
  return {
    arn: arns.connect,
    roleId: 'AROASANDBOXCONNECT01',
    trust: trust(arns.hub, { StringEquals: { 'sts:ExternalId': externalId } }),
    policies: [
      policy(
        {
          Sid: 'MintSessionsForManagedRoles',
          Effect: 'Allow',
          Action: 'sts:AssumeRole',
          Resource: 'arn:aws:iam::*:role/*',
          Condition: {
            StringEquals: {
              'aws:ResourceTag/sallyport:managed': 'true',
              'aws:ResourceAccount': `\${aws:PrincipalAccount}`,
            },
          },
        },
        {
          Sid: 'DecorateSessions',
          Effect: 'Allow',
          Action: ['sts:TagSession', 'sts:SetSourceIdentity'],
          Resource: 'arn:aws:iam::*:role/*',
        },
        {
          Sid: 'RevocationBoundaryOnly',
          Effect: 'Allow',
          Action: [
            'iam:CreatePolicyVersion',
            'iam:DeletePolicyVersion',
            'iam:SetDefaultPolicyVersion',
            'iam:GetPolicy',
            'iam:GetPolicyVersion',
            'iam:ListPolicyVersions',
          ],
          Resource: 'arn:aws:iam::*:policy/sallyport/SallyportRevocations',
        },
      ),
      databaseAccess(),
      shellAccess(),
      allow(discoveries, '*'),
      policy({
        Effect: 'Allow',
        Action: 'iam:GetRole',
        Resource: `arn:aws:iam::${accounts.data}:role/*`,
        Condition: { StringEquals: { 'aws:ResourceTag/sallyport:managed': 'true' } },
      }),
      allow('iam:SimulatePrincipalPolicy', arns.connect),
      allow(['eks:DescribeCluster', 'eks:ListAccessEntries'], `arn:aws:eks:*:${accounts.data}:cluster/*`),
      allow(
        ['eks:DescribeAccessEntry', 'eks:ListAssociatedAccessPolicies'],
        `arn:aws:eks:*:${accounts.data}:access-entry/*`,
      ),
    ],
    maxSessionSeconds: 3600,
    tags: {},
  }
}

const discoveries = [
  'cloudtrail:LookupEvents',
  'ec2:DescribeInstances',
  'ec2:DescribeRegions',
  'eks:ListClusters',
  'iam:GenerateServiceLastAccessedDetails',
  'iam:GetAccountAuthorizationDetails',
  'iam:GetServiceLastAccessedDetails',
  'rds:DescribeDBClusterEndpoints',
  'rds:DescribeDBClusters',
  'rds:DescribeDBInstances',
  'ssm:DescribeSessions',
]

/** A brokered role: nobody gets in without a person's name and a grant. */
function databases(): Role {
  return {
    arn: arns.databases,
    roleId: 'AROASANDBOXDATABASE1',
    trust: trust(arns.connect, {
      StringLike: { 'sts:SourceIdentity': '?*', 'aws:RequestTag/sallyport:grant': 'grt_*' },
    }),
    policies: [databaseAccess()],
    boundary: allow('*', '*'),
    maxSessionSeconds: 3600,
    tags: { 'sallyport:managed': 'true' },
  }
}

/** That an access entry of the cluster `web` maps; tokens need no permission. */
function clusterView(): Role {
  return { ...brokered(arns.clusterView, 'AROASANDBOXCLUSTER01'), policies: [] }
}

const ceiling = policy({ Sid: 'Ceiling', Effect: 'Allow', Action: '*', Resource: '*' })

/** A role for people, whose sessions can be killed. */
function reports(): Role {
  return { ...brokered(arns.reports, 'AROASANDBOXREPORTS01'), boundary: arns.revocations }
}

/** Another, with a path and without the boundary. */
function deploy(): Role {
  return brokered(arns.deploy, 'AROASANDBOXDEPLOY001')
}

function brokered(arn: string, roleId: string): Role {
  return {
    arn,
    roleId,
    trust: trust(arns.connect, {
      StringLike: { 'sts:SourceIdentity': '?*', 'aws:RequestTag/sallyport:grant': 'grt_*' },
    }),
    policies: [allow('s3:*', '*')],
    maxSessionSeconds: 3600,
    tags: { 'sallyport:managed': 'true' },
  }
}

/** The broker's own credentials open nothing here: it takes the person's ID token. */
function personal({ issuer, clientId }: { issuer: string; clientId: string }): Role {
  return {
    arn: arns.personal,
    roleId: 'AROASANDBOXPERSONAL1',
    trust: policy({
      Effect: 'Allow',
      Principal: { Federated: providerArn(issuer) },
      Action: ['sts:AssumeRoleWithWebIdentity', 'sts:TagSession', 'sts:SetSourceIdentity'],
      Condition: { StringEquals: { [`${issuer.replace(/^https?:\/\//, '')}:aud`]: clientId } },
    }),
    policies: [allow('s3:*', '*')],
    maxSessionSeconds: 43_200,
    tags: {},
  }
}

/** Opens tunnels to databases and clusters through instances, and nothing else. */
function reach(): Role {
  return {
    arn: arns.reach,
    roleId: 'AROASANDBOXREACH0001',
    trust: trust(arns.connect, { StringLike: { 'sts:SourceIdentity': '?*', 'aws:RequestTag/sallyport:grant': '?*' } }),
    policies: [
      policy(
        {
          Effect: 'Allow',
          Action: 'ssm:StartSession',
          Resource: [`arn:aws:ec2:*:${accounts.data}:instance/*`, ...tunnelDocuments()],
        },
        {
          Effect: 'Allow',
          Action: ['ssm:ResumeSession', 'ssm:TerminateSession'],
          Resource: 'arn:aws:ssm:*:*:session/sp-*',
        },
        {
          Effect: 'Allow',
          Action: ['ssmmessages:OpenDataChannel', 'ssm:DescribeSessions', 'ssm:DescribeInstanceInformation'],
          Resource: '*',
        },
        { Effect: 'Allow', Action: 'ssm:GetDocument', Resource: tunnelDocuments() },
      ),
    ],
    maxSessionSeconds: 3600,
    tags: { 'sallyport:managed': 'true' },
  }
}

/** Opens shells on instances, and nothing else. */
function shells(): Role {
  return {
    ...reach(),
    arn: arns.shells,
    roleId: 'AROASANDBOXSHELLS001',
    policies: [shellAccess()],
  }
}

function shellAccess(): PolicyDocument {
  return policy(
    {
      Effect: 'Allow',
      Action: 'ssm:StartSession',
      Resource: [`arn:aws:ec2:*:${accounts.data}:instance/*`, `arn:aws:ssm:*:${accounts.data}:document/Sallyport-*`],
      Condition: { BoolIfExists: { 'ssm:SessionDocumentAccessCheck': 'true' } },
    },
    { Effect: 'Allow', Action: 'ssm:GetDocument', Resource: `arn:aws:ssm:*:${accounts.data}:document/Sallyport-*` },
    {
      Effect: 'Allow',
      Action: ['ssm:ResumeSession', 'ssm:TerminateSession'],
      Resource: `arn:aws:ssm:*:${accounts.data}:session/sp-*`,
    },
    {
      Effect: 'Allow',
      Action: ['ssm:DescribeSessions', 'ssm:DescribeInstanceInformation', 'ssmmessages:OpenDataChannel'],
      Resource: '*',
    },
    {
      Effect: 'Allow',
      Action: 'kms:GenerateDataKey',
      Resource: shellKey,
      Condition: { StringLike: { 'kms:EncryptionContext:aws:ssm:SessionId': 'sp-*' } },
    },
  )
}

function web(): Instance {
  return { ...bastion(shellInstance), tags: { Name: 'web' } }
}

/** Session document for shells as a user without sudo. */
export function shellDocument(): SessionDocument {
  const content = {
    schemaVersion: '1.0',
    sessionType: 'Standard_Stream',
    inputs: { runAsEnabled: true, runAsDefaultUser: 'deploy', idleSessionTimeout: '20', maxSessionDuration: '60' },
  } as const
  return { name: 'Sallyport-Shell', account: accounts.data, region, versions: [content] }
}

/** Session document for shells that a key of KMS encrypts. */
export function sealedDocument(): SessionDocument {
  const shell = shellDocument()
  const versions = shell.versions.map((content) => ({ ...content, inputs: { ...content.inputs, kmsKeyId: shellKey } }))
  return { ...shell, name: 'Sallyport-Sealed', versions }
}

/** Session document for single commands as the same user. */
export function commandDocument(): SessionDocument {
  const content = {
    schemaVersion: '1.0',
    sessionType: 'NonInteractiveCommands',
    inputs: { runAsEnabled: true, runAsDefaultUser: 'deploy' },
    parameters: { command: { type: 'String' } },
    properties: { linux: { commands: '{{ command }}', separateOutputStream: 'true' } },
  } as const
  return { name: 'Sallyport-Command', account: accounts.data, region, versions: [content] }
}

function bastion(id: string): Instance {
  const place = { account: accounts.data, region }
  return { id, ...place, agentVersion: '3.3.987.0', isOnline: true, tags: { Name: 'bastion' }, reaches: {} }
}

/** Session document for ports of databases in this region. */
function databasePorts(): SessionDocument {
  const parameters = {
    host: { type: 'String', allowedPattern: '^[a-z0-9.-]+\\.eu-west-1\\.rds\\.amazonaws\\.com$' },
    portNumber: { type: 'String', allowedPattern: '^[1-9][0-9]{3,4}$' },
  }
  const properties = { host: '{{ host }}', portNumber: '{{ portNumber }}', type: 'LocalPortForwarding' }
  const content = { schemaVersion: '1.0', sessionType: 'Port', parameters, properties } as const
  return { name: 'Sallyport-PortDatabase', account: accounts.data, region, versions: [content] }
}

/** Session document for API servers of clusters in this region. */
function clusterPorts(): SessionDocument {
  const parameters = {
    host: { type: 'String', allowedPattern: '^[0-9a-f]{32}\\.[a-z0-9]+\\.eu-west-1\\.eks\\.amazonaws\\.com$' },
    portNumber: { type: 'String', allowedPattern: '^443$' },
  }
  const properties = { host: '{{ host }}', portNumber: '{{ portNumber }}', type: 'LocalPortForwarding' }
  const content = { schemaVersion: '1.0', sessionType: 'Port', parameters, properties } as const
  return { name: 'Sallyport-PortCluster', account: accounts.data, region, versions: [content] }
}

const tunnelDocuments = () => [databasePorts(), clusterPorts()].map(({ name }) => `arn:aws:ssm:*:*:document/${name}`)

/** Session document for ports of instances, and of the hosts behind them that its pattern names. */
function forwardedPorts(): SessionDocument {
  const parameters = {
    host: { type: 'String', allowedPattern: '^(localhost|web[.]internal|silent[.]internal)$' },
    portNumber: { type: 'String', allowedPattern: '^[1-9][0-9]{0,4}$' },
  }
  const properties = { host: '{{ host }}', portNumber: '{{ portNumber }}', type: 'LocalPortForwarding' }
  const content = { schemaVersion: '1.0', sessionType: 'Port', parameters, properties } as const
  return { name: 'Sallyport-PortForward', account: accounts.data, region, versions: [content] }
}

function providerArn(issuer: string): string {
  return `arn:aws:iam::${accounts.web}:oidc-provider/${issuer.replace(/^https?:\/\//, '')}`
}

function databaseAccess(): PolicyDocument {
  return allow('rds-db:connect', `arn:aws:rds-db:*:${accounts.data}:dbuser:*/sallyport_*`)
}

function trust(principal: string, condition: object): PolicyDocument {
  return policy(
    { Effect: 'Allow', Principal: { AWS: principal }, Action: 'sts:AssumeRole', Condition: condition },
    { Effect: 'Allow', Principal: { AWS: principal }, Action: ['sts:TagSession', 'sts:SetSourceIdentity'] },
  )
}

export function allow(action: string | string[], resource: string | string[]): PolicyDocument {
  return policy({ Effect: 'Allow', Action: action, Resource: resource })
}

export function policy(...statements: object[]): PolicyDocument {
  return { Version: '2012-10-17', Statement: statements }
}
