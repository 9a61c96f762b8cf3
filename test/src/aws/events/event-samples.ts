/** Records as CloudTrail and EventBridge write them, by their documentation; ids are made up. */
export const samples = {
  createRole: {
    eventSource: 'iam.amazonaws.com',
    eventName: 'CreateRole',
    awsRegion: 'us-east-1',
    requestParameters: { roleName: 'App', path: '/team/', assumeRolePolicyDocument: '{"Statement":[]}' },
    responseElements: { role: { path: '/team/', roleName: 'App', arn: 'arn:aws:iam::222222222222:role/team/App' } },
  },
  tagRole: {
    eventSource: 'iam.amazonaws.com',
    eventName: 'TagRole',
    awsRegion: 'us-east-1',
    requestParameters: { roleName: 'App', tags: [{ key: 'sallyport:managed', value: 'true' }] },
    responseElements: null,
  },
  runInstances: {
    eventSource: 'ec2.amazonaws.com',
    eventName: 'RunInstances',
    awsRegion: 'eu-west-1',
    requestParameters: { instancesSet: { items: [{ imageId: 'ami-0abcd', minCount: 1, maxCount: 1 }] } },
    responseElements: {
      requestId: '11111111-2222-4333-8444-555555555555',
      ownerId: '222222222222',
      instancesSet: { items: [{ instanceId: 'i-0123456789abcdef0', instanceState: { code: 0, name: 'pending' } }] },
    },
  },
  terminateInstances: {
    eventSource: 'ec2.amazonaws.com',
    eventName: 'TerminateInstances',
    awsRegion: 'eu-west-1',
    requestParameters: { instancesSet: { items: [{ instanceId: 'i-0123456789abcdef0' }] } },
    responseElements: { instancesSet: { items: [{ instanceId: 'i-0123456789abcdef0', currentState: { code: 32 } }] } },
  },
  createTags: {
    eventSource: 'ec2.amazonaws.com',
    eventName: 'CreateTags',
    awsRegion: 'eu-west-1',
    requestParameters: {
      resourcesSet: { items: [{ resourceId: 'i-0123456789abcdef0' }, { resourceId: 'vol-0123456789abcdef0' }] },
      tagSet: { items: [{ key: 'env', value: 'prod' }] },
    },
    responseElements: { _return: true },
  },
  createDBInstance: {
    eventSource: 'rds.amazonaws.com',
    eventName: 'CreateDBInstance',
    awsRegion: 'us-east-1',
    requestParameters: { dBInstanceIdentifier: 'pg1', engine: 'postgres', masterUserPassword: '****' },
    responseElements: {
      dBInstanceArn: 'arn:aws:rds:us-east-1:222222222222:db:pg1',
      dbiResourceId: 'db-ABCDEFGHIJKL01234',
    },
  },
  createCluster: {
    eventSource: 'eks.amazonaws.com',
    eventName: 'CreateCluster',
    awsRegion: 'us-east-1',
    requestParameters: { name: 'prod', roleArn: 'arn:aws:iam::222222222222:role/eks' },
    responseElements: { cluster: { name: 'prod', arn: 'arn:aws:eks:us-east-1:222222222222:cluster/prod' } },
  },
  createAccountAssignment: {
    eventSource: 'sso.amazonaws.com',
    eventName: 'CreateAccountAssignment',
    awsRegion: 'us-east-1',
    recipientAccountId: '111111111111',
    requestParameters: {
      targetId: '222222222222',
      principalType: 'GROUP',
      principalId: 'a4b8c4d8-1111-2222-3333-444455556666',
    },
    responseElements: { accountAssignmentCreationStatus: { status: 'IN_PROGRESS' } },
  },
  addMemberToGroup: {
    eventSource: 'sso-directory.amazonaws.com',
    eventName: 'AddMemberToGroup',
    awsRegion: 'us-east-1',
    recipientAccountId: '111111111111',
    requestParameters: {
      identityStoreId: 'd-906791299c',
      groupId: 'a4b8c4d8-1111-2222-3333-444455556666',
      member: { memberId: 'b5b8c4d8-1111-2222-3333-444455556666' },
    },
    responseElements: null,
  },
  moveAccount: {
    eventSource: 'organizations.amazonaws.com',
    eventName: 'MoveAccount',
    awsRegion: 'us-east-1',
    recipientAccountId: '111111111111',
    requestParameters: { accountId: '333333333333', sourceParentId: 'r-ab12', destinationParentId: 'ou-ab12-11111111' },
    responseElements: null,
  },
  createAccountResult: {
    eventSource: 'organizations.amazonaws.com',
    eventName: 'CreateAccountResult',
    eventType: 'AwsServiceEvent',
    awsRegion: 'us-east-1',
    recipientAccountId: '111111111111',
    requestParameters: null,
    responseElements: null,
    serviceEventDetails: { createAccountStatus: { accountId: '444444444444', state: 'SUCCEEDED' } },
  },
} as const

const eventTime = '2026-01-15T12:34:50Z'

/** A record, as a trail has it. */
export function record(of: object, id = 'c0ffee00-1111-4222-8333-444455556666'): Record<string, unknown> {
  return {
    ...{ eventVersion: '1.11', eventTime, eventID: id, readOnly: false, eventType: 'AwsApiCall' },
    ...{ managementEvent: true, recipientAccountId: '222222222222', ...of },
  }
}

/** An event of EventBridge about a call. @param of may have a time of its own */
export function callEvent(of: object, id?: string): Record<string, unknown> {
  const detail = record(of, id)
  return {
    ...{ version: '0', id: '6f87d04b-9f74-4f04-a780-7acf4b0a9b38', 'detail-type': 'AWS API Call via CloudTrail' },
    source: `aws.${String(detail.eventSource).split('.')[0]}`,
    ...{ account: detail.recipientAccountId, time: '2026-01-15T12:34:56Z', region: detail.awsRegion, resources: [] },
    detail,
  }
}
