import type { PolicyPart } from '../../catalog/policy-part.ts'

const cluster = 'arn:{{partition}}:eks:*:{{account}}:cluster/*'

/**
 * What is found in each account and region. Nothing of it changes anything, and none of it gives access. An action has one reason, whichever
 * feature needs it.
 */
export const placePolicies: PolicyPart = {
  feature: 'discovery',
  statements: [
    {
      document: 'spokePermissions',
      statement: {
        sid: 'DiscoverInstances',
        actions: {
          'ec2:DescribeRegions': 'finds the regions that the account has switched on',
          'ec2:DescribeInstances': 'finds instances, with their state, tags and instance profile',
          'ssm:DescribeInstanceInformation': 'aws validate says whether the agent is connected and new enough',
        },
        resources: ['*'],
      },
    },
    {
      document: 'spokePermissions',
      statement: {
        sid: 'ReadUse',
        actions: {
          'cloudtrail:LookupEvents': 'finds who takes a role, with a grant or without one',
          'ssm:DescribeSessions': 'finds sessions that a daemon that died has left open, and those without a grant',
        },
        resources: ['*'],
      },
    },
    {
      document: 'spokePermissions',
      statement: {
        sid: 'ListClusters',
        actions: { 'eks:ListClusters': 'finds clusters' },
        resources: ['*'],
      },
    },
    {
      document: 'spokePermissions',
      statement: {
        sid: 'DiscoverClusters',
        actions: {
          'eks:DescribeCluster': 'the certificate authority of a cluster, and whether it is still the same one',
          'eks:ListAccessEntries': 'aws validate finds entries that no level names any more',
        },
        resources: [cluster],
      },
    },
  ],
}
