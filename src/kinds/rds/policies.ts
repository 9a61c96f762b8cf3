import { decorate } from '../../aws/policies/base.ts'
import type { PolicyPart } from '../../catalog/policy-part.ts'
import { reachPolicies } from '../reach/policies.ts'
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

export const rdsPolicies = [databases, ...reachPolicies]

export function rdsFeatures({ via }: { readonly via: readonly string[] }): string[] {
  return ['databases', ...(via.length > 0 ? ['reach'] : [])]
}

export function rdsPolicyValues(level: RdsLevel): Record<string, string> {
  return { databaseUsers: usersPattern(level) }
}
