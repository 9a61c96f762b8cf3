import type { PolicyPart } from '../../catalog/policy-part.ts'

/** Roles and databases are found in each account. Nothing of it changes anything, and none of it gives access. */
export const dataPolicies: PolicyPart = {
  feature: 'discovery',
  statements: [
    {
      document: 'spokePermissions',
      statement: {
        sid: 'DiscoverRoles',
        actions: {
          'iam:GetAccountAuthorizationDetails':
            'finds roles, with trust, tags and last use, and what their policies allow; no policy is kept',
          'iam:GenerateServiceLastAccessedDetails': 'finds which services a role was used for',
          'iam:GetServiceLastAccessedDetails': 'the answer to that',
        },
        resources: ['*'],
      },
    },
    {
      document: 'spokePermissions',
      statement: {
        sid: 'DiscoverDatabases',
        actions: {
          'rds:DescribeDBInstances': 'finds databases, with endpoint, resource id, tags and IAM authentication',
          'rds:DescribeDBClusters': 'finds clusters, with their writers and readers',
          'rds:DescribeDBClusterEndpoints': 'finds custom endpoints of Aurora',
        },
        resources: ['*'],
      },
    },
  ],
}
