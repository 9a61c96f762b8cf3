import type { PolicyPart } from '../../catalog/policy-part.ts'

/** The queue of events is read by the hub, and records of CloudTrail where a trail puts them. */
export const eventPolicies: PolicyPart = {
  feature: 'events',
  statements: [
    {
      document: 'hubPermissions',
      statement: {
        sid: 'ReadEvents',
        actions: {
          'sqs:ReceiveMessage': 'hears of changes in AWS',
          'sqs:DeleteMessage': 'removes what was followed',
          'sqs:ChangeMessageVisibility': 'hides from others what is worked on, and gives back what is not done',
          'sqs:GetQueueAttributes': 'counts what waits, here and in the dead letters',
          'sqs:SendMessage': 'sends a probe through, for `aws validate`',
        },
        resources: ['arn:{{partition}}:sqs:*:*:{{eventQueue}}'],
        conditions: { StringEquals: { 'aws:ResourceOrgID': '{{organization}}' } },
      },
    },
    {
      document: 'hubPermissions',
      statement: {
        sid: 'ReadTrail',
        actions: { 's3:GetObject': 'reads the records of CloudTrail that the queue tells of' },
        resources: ['arn:{{partition}}:s3:::{{trailBucket}}/*'],
        conditions: { StringEquals: { 'aws:ResourceOrgID': '{{organization}}' } },
      },
    },
    {
      document: 'hubPermissions',
      statement: {
        sid: 'DecryptTrail',
        actions: {
          'kms:Decrypt':
            'only of what is encrypted under a key of its owner, and only through the service that keeps it',
        },
        resources: ['arn:{{partition}}:kms:*:*:key/*'],
        conditions: {
          StringEquals: { 'aws:ResourceOrgID': '{{organization}}' },
          StringLike: { 'kms:ViaService': 's3.*.amazonaws.com' },
        },
      },
    },
  ],
  values: {
    eventQueue: { description: 'name of the queue of events and of its dead letters', default: 'sallyport-events*' },
    trailBucket: {
      description: 'bucket that CloudTrail puts its records into, if they are read there',
      default: 'none',
    },
  },
}
