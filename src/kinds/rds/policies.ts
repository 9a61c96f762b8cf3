import { decorate } from '../../aws/policies/base.ts'
import type { PolicyPart, SessionDocumentPart } from '../../catalog/policy-part.ts'
import type { RdsLevel } from './level.ts'
import { usersPattern } from './personal-users.ts'

const users = ['arn:{{partition}}:rds-db:*:{{account}}:dbuser:*/{{databaseUsers}}']

/** Sign-in by token: as a role of the entry's own, or as the spoke role itself. */
const databases: PolicyPart = {
  feature: 'databases',
  values: {
    databaseUsers: { description: 'names of database users, with wildcards', default: 'sallyport_*' },
  },
  statements: [
    {
      document: 'spokeTrust',
      statement: {
        // AWS knows no ExternalId for these: a condition on it would never match.
        sid: 'HubMayTag',
        principal: { AWS: '{{hubRole}}' },
        actions: decorate,
      },
    },
    {
      document: 'spokePermissions',
      statement: {
        sid: 'SignInToDatabases',
        actions: { 'rds-db:connect': 'databases whose entry names no role' },
        resources: users,
      },
    },
  ],
  documents: [
    {
      name: 'roleDatabases',
      title: 'permissions of a role that signs in to databases',
      where: 'each brokered role',
      trust: ['hub', 'web_identity'],
      optional: { resource: 'SignIn', when: 'the role signs in to databases' },
      statements: [
        {
          sid: 'SignInToDatabases',
          actions: { 'rds-db:connect': 'as these users; each session is restricted to one user of one database' },
          resources: users,
        },
      ],
    },
  ],
}

/** By its patterns AWS refuses to lead anywhere but to databases of RDS: names are resolved at the instance. */
export const databasePorts: SessionDocumentPart = {
  name: 'Sallyport-PortDatabase',
  title: 'session document of tunnels to databases; only its owners may change it',
  content: {
    schemaVersion: '1.0',
    description: 'Sallyport: ports of databases of RDS, and no others',
    sessionType: 'Port',
    parameters: {
      host: {
        type: 'String',
        description: 'Endpoint of the database',
        allowedPattern: '^[A-Za-z0-9.-]+\\.(rds\\.amazonaws\\.com|rds\\.[a-z0-9-]+\\.amazonaws\\.com\\.cn)$',
      },
      portNumber: { type: 'String', description: 'Its port', allowedPattern: '^[1-9][0-9]{3,4}$' },
    },
    properties: { host: '{{ host }}', portNumber: '{{ portNumber }}', type: 'LocalPortForwarding' },
  },
}

/** Databases that only an instance reaches. */
const reach: PolicyPart = {
  feature: 'reach',
  sessionDocuments: [databasePorts],
  documents: [
    {
      name: 'roleReach',
      title: 'permissions of the role that opens tunnels through instances (aws.reach_role)',
      where: 'each brokered role',
      trust: ['hub', 'web_identity'],
      optional: { resource: 'Reach', when: 'the role opens tunnels through instances: aws.reach_role' },
      statements: [
        {
          sid: 'StartTunnels',
          actions: { 'ssm:StartSession': 'tunnels to databases; each session is restricted to one instance' },
          resources: [
            'arn:{{partition}}:ec2:*:{{account}}:instance/*',
            `arn:{{partition}}:ssm:*:{{account}}:document/${databasePorts.name}`,
          ],
          conditions: { BoolIfExists: { 'ssm:SessionDocumentAccessCheck': 'true' } },
        },
        {
          sid: 'EndTunnels',
          actions: {
            'ssm:ResumeSession': 'goes on after a lost connection, which the service closes each hour',
            'ssm:TerminateSession': 'ends a tunnel that nothing uses any more',
          },
          resources: ['arn:{{partition}}:ssm:*:{{account}}:session/sp-*'],
        },
        {
          sid: 'CarryTunnels', // neither knows a resource to be restricted to
          actions: {
            'ssmmessages:OpenDataChannel': 'carries the bytes',
            'ssm:DescribeInstanceInformation': 'aws validate says whether the agents are connected and new enough',
          },
          resources: ['*'],
        },
        {
          sid: 'ReadTunnelDocument',
          actions: { 'ssm:GetDocument': 'aws validate says whether the document leads to databases alone' },
          resources: [`arn:{{partition}}:ssm:*:{{account}}:document/${databasePorts.name}`],
        },
      ],
    },
  ],
}

export const rdsPolicies = [databases, reach]

export function rdsFeatures({ via }: { readonly via: readonly string[] }): string[] {
  return ['databases', ...(via.length > 0 ? ['reach'] : [])]
}

export function rdsPolicyValues(level: RdsLevel): Record<string, string> {
  return { databaseUsers: usersPattern(level) }
}
