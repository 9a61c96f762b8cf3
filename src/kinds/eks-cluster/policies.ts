import { decorate } from '../../aws/policies/base.ts'
import type { PolicyPart } from '../../catalog/policy-part.ts'
import { reachPolicies } from '../reach/policies.ts'

const readEntry = {
  'eks:DescribeAccessEntry': 'aws validate says whether a cluster lets the role of a level in, and by which name',
  'eks:ListAssociatedAccessPolicies': 'aws validate says whether the role may do more there than the level',
}

/** Tokens need no permission at all; the spoke role reads what the clusters are. */
const clusters: PolicyPart = {
  feature: 'clusters',
  statements: [
    {
      document: 'spokeTrust',
      statement: { sid: 'HubMayTagClusters', principal: { AWS: '{{hubRole}}' }, actions: decorate },
    },
    {
      document: 'spokePermissions',
      statement: {
        sid: 'ReadClusters',
        actions: {
          'eks:DescribeCluster': 'the certificate authority of a cluster, and whether it is still the same one',
          'eks:ListAccessEntries': 'aws validate finds entries that no level names any more',
        },
        resources: ['arn:{{partition}}:eks:*:{{account}}:cluster/*'],
      },
    },
    {
      document: 'spokePermissions',
      statement: {
        sid: 'ReadAccessEntries',
        actions: readEntry,
        resources: ['arn:{{partition}}:eks:*:{{account}}:access-entry/*'],
      },
    },
  ],
  documents: [
    {
      name: 'roleReadsClusters',
      title: 'permissions of the role in aws.connect_role, where the account takes ID tokens and an entry has no ca',
      where: 'each brokered role',
      trust: ['web_identity'],
      optional: { resource: 'ReadClusters', when: 'the role reads what clusters are, by a person’s ID token' },
      statements: [
        {
          sid: 'ReadClusters',
          actions: {
            'eks:DescribeCluster': 'the certificate authority of a cluster; each session is restricted to one cluster',
            'eks:ListAccessEntries': 'aws validate finds entries that no level names any more',
          },
          resources: ['arn:{{partition}}:eks:*:{{account}}:cluster/*'],
        },
        {
          sid: 'ReadAccessEntries',
          actions: readEntry,
          resources: ['arn:{{partition}}:eks:*:{{account}}:access-entry/*'],
        },
      ],
    },
  ],
}

export const clusterPolicies = [clusters, ...reachPolicies]
