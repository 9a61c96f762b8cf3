/** References in the text of a template, by what they stand for. */
export interface EventReferences {
  readonly queueArn: string
  /** Of the rules that fill the queue. */
  readonly ruleArns: readonly string[]
  /** Of the topic that tells of a trail's objects. */
  readonly topicArn: string
  readonly busArn: string
  readonly organization: string
  readonly partition: string
  readonly account: string
  readonly bucket: string
}

/** In each account, with the path that the bus knows it by. */
export const forwarder = { path: '/sallyport/', name: 'SallyportForward' } as const

/** Only these rules and this topic fill the queue. */
export function queuePolicy({ queueArn, ruleArns, topicArn }: EventReferences) {
  const send = { Action: 'sqs:SendMessage', Resource: queueArn }
  return policy(
    {
      ...{ Sid: 'RulesMaySend', Effect: 'Allow', Principal: { Service: 'events.amazonaws.com' }, ...send },
      Condition: { ArnEquals: { 'aws:SourceArn': ruleArns } },
    },
    {
      ...{ Sid: 'TopicMaySend', Effect: 'Allow', Principal: { Service: 'sns.amazonaws.com' }, ...send },
      Condition: { ArnEquals: { 'aws:SourceArn': topicArn } },
    },
    {
      ...{ Sid: 'TlsOnly', Effect: 'Deny', Principal: '*', Action: 'sqs:*', Resource: queueArn },
      Condition: { Bool: { 'aws:SecureTransport': 'false' } },
    },
  )
}

/** Only the forwarders of the organization put events on the bus, and no other role in it. */
export function busPolicy({ busArn, organization, partition }: EventReferences) {
  return policy({
    ...{ Sid: 'ForwardersMayPut', Effect: 'Allow', Principal: { AWS: '*' }, Action: 'events:PutEvents' },
    Resource: busArn,
    Condition: {
      StringEquals: { 'aws:PrincipalOrgID': organization },
      ArnLike: { 'aws:PrincipalArn': `arn:${partition}:iam::*:role${forwarder.path}${forwarder.name}` },
    },
  })
}

/** Only this bucket of this account tells the topic. */
export function topicPolicy({ topicArn, account, bucket, partition }: EventReferences) {
  return policy({
    ...{ Sid: 'BucketMayTell', Effect: 'Allow', Principal: { Service: 's3.amazonaws.com' }, Action: 'sns:Publish' },
    Resource: topicArn,
    Condition: {
      StringEquals: { 'aws:SourceAccount': account },
      ArnEquals: { 'aws:SourceArn': `arn:${partition}:s3:::${bucket}` },
    },
  })
}

export function forwarderTrust() {
  return policy({
    ...{ Sid: 'EventBridgeMayAssume', Effect: 'Allow', Principal: { Service: 'events.amazonaws.com' } },
    Action: 'sts:AssumeRole',
  })
}

export function forwarderPermissions({ busArn }: Pick<EventReferences, 'busArn'>) {
  return policy({ Sid: 'ForwardEvents', Effect: 'Allow', Action: 'events:PutEvents', Resource: busArn })
}

function policy(...Statement: readonly object[]) {
  return { Version: '2012-10-17', Statement }
}
