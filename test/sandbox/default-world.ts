import type { PolicyDocument, Role, World } from './aws/world.ts'

/**
 * The sandbox's AWS: account 111111111111 holds the daemon's own identity and the hub, account 111122223333 the databases.
 * The documents are those that `specs/aws.md` 2 tells an installation to use.
 */
export const accounts = { hub: '111111111111', data: '111122223333' } as const
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
} as const

/** The databases of the sandbox: DbiResourceId and endpoint name of each. */
export const instances = {
  orders: { resourceId: 'db-ORDERSSANDBOX0000000000001', endpoint: `orders.abc123.${region}.rds.amazonaws.com` },
  billing: { resourceId: 'db-BILLINGSANDBOX000000000001', endpoint: `billing.abc123.${region}.rds.amazonaws.com` },
} as const

export function createWorld(): World {
  return {
    organizationId: 'o-exampleorgid',
    regions: [region, 'us-east-1'],
    users: [
      {
        arn: arns.compute,
        userId: 'AIDASANDBOXCOMPUTE01',
        ...computeKeys,
        policies: [allow(['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'], arns.hub)],
        tags: {},
      },
    ],
    roles: [hub(), connect(), databases()],
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
    ],
    maxSessionSeconds: 3600,
    tags: {},
  }
}

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
      ),
      databaseAccess(),
    ],
    maxSessionSeconds: 3600,
    tags: {},
  }
}

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
