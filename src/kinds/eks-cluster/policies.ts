import { decorate } from '../../aws/policies/base.ts'
import type { PolicyPart } from '../../catalog/policy-part.ts'

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
        },
        resources: ['arn:{{partition}}:eks:*:{{account}}:cluster/*'],
      },
    },
  ],
}

export const clusterPolicies = [clusters]
