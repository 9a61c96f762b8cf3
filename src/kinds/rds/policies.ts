import { decorate } from '../../aws/policies/base.ts'
import type { PolicyPart } from '../../catalog/policy-part.ts'

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
        actions: { 'rds-db:connect': 'databases whose entry names no role of their own' },
        resources: users,
      },
    },
  ],
  documents: [
    {
      name: 'roleDatabases',
      title: 'permissions of a role through which databases are signed in to',
      where: 'each brokered role',
      trust: ['hub'],
      optional: { resource: 'SignIn', when: 'databases are signed in to through this role' },
      statements: [
        {
          sid: 'SignInToDatabases',
          actions: { 'rds-db:connect': 'as these users; each session is cut down to one user of one database' },
          resources: users,
        },
      ],
    },
  ],
}

export const rdsPolicies = [databases]
