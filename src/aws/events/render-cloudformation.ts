import { Document } from 'yaml'
import { callAs } from '../policies/cloudformation-parameters.ts'
import { eventPatterns } from './event-patterns.ts'
import {
  busPolicy,
  type EventReferences,
  forwarder,
  forwarderPermissions,
  forwarderTrust,
  queuePolicy,
  topicPolicy,
} from './resource-policies.ts'

const topic = `arn:\${AWS::Partition}:sns:\${AWS::Region}:\${AWS::AccountId}:\${QueueName}`
const references: EventReferences = {
  queueArn: `\${Events.Arn}`,
  ruleArns: [`\${BusRule.Arn}`],
  topicArn: topic,
  busArn: `\${Bus.Arn}`,
  organization: `\${OrganizationId}`,
  partition: `\${AWS::Partition}`,
  account: `\${TrailAccount}`,
  bucket: `\${TrailBucket}`,
}

/**
 * Three CloudFormation templates: the queue of events (once, in the hub's account), what forwards events to it (in each account and region),
 * and the StackSet that brings that to every account of some organizational units.
 * @param comment before each
 */
export function renderEventTemplates(comment: string): Readonly<Record<string, string>> {
  const forwarding = forward()
  return {
    'events.yaml': toText(comment, queue()),
    'events-forward.yaml': toText(comment, forwarding),
    'events-stackset.yaml': toText(comment, stackSet(toText(comment, forwarding))),
  }
}

function toText(comment: string, content: object): string {
  const document = new Document(
    { AWSTemplateFormatVersion: '2010-09-09', ...content },
    { aliasDuplicateObjects: false },
  )
  document.commentBefore = comment
  // YAML 1.1, which CloudFormation reads, takes these for dates.
  return document.toString({ lineWidth: 120 }).replaceAll(/(?<=: )(\d{4}-\d\d-\d\d)$/gm, '"$1"')
}

const text = (Description: string, Default?: string) => ({
  Type: 'String',
  Description,
  ...(Default === undefined ? {} : { Default }),
})
const getArn = (name: string) => ({ 'Fn::GetAtt': [name, 'Arn'] })

function queue(): object {
  const isForTrail = { Condition: 'HasTrail' }
  return {
    Description: 'Sallyport: the queue of events',
    Parameters: {
      OrganizationId: text('Id of the organization, o-…'),
      QueueName: text('Name of the queue of events', 'sallyport-events'),
      BusName: text('Name of the bus that accounts forward to', 'sallyport'),
      TrailBucket: text('Bucket of a trail whose records are read there instead; empty: none', ''),
      TrailAccount: text('Account of that bucket', 'none'),
    },
    Conditions: { HasTrail: { 'Fn::Not': [{ 'Fn::Equals': [{ Ref: 'TrailBucket' }, ''] }] } },
    Resources: {
      Dead: {
        Type: 'AWS::SQS::Queue',
        Properties: {
          QueueName: { 'Fn::Sub': `\${QueueName}-dead` },
          MessageRetentionPeriod: 1_209_600,
          SqsManagedSseEnabled: true,
        },
      },
      Events: {
        Type: 'AWS::SQS::Queue',
        Properties: {
          QueueName: { Ref: 'QueueName' },
          VisibilityTimeout: 120,
          MessageRetentionPeriod: 345_600,
          SqsManagedSseEnabled: true,
          RedrivePolicy: { deadLetterTargetArn: getArn('Dead'), maxReceiveCount: 5 },
        },
      },
      EventsPolicy: {
        Type: 'AWS::SQS::QueuePolicy',
        Properties: { Queues: [{ Ref: 'Events' }], PolicyDocument: substituted(queuePolicy(references)) },
      },
      Bus: { Type: 'AWS::Events::EventBus', Properties: { Name: { Ref: 'BusName' } } },
      BusPolicy: {
        Type: 'AWS::Events::EventBusPolicy',
        Properties: {
          EventBusName: { Ref: 'Bus' },
          StatementId: 'ForwardersMayPut',
          Statement: substituted(busPolicy(references).Statement[0]),
        },
      },
      BusRule: {
        Type: 'AWS::Events::Rule',
        Properties: {
          Name: 'sallyport-events',
          EventBusName: { Ref: 'Bus' },
          EventPattern: eventPatterns.bus,
          Targets: [{ Id: 'queue', Arn: getArn('Events') }],
        },
      },
      Trail: { ...isForTrail, Type: 'AWS::SNS::Topic', Properties: { TopicName: { Ref: 'QueueName' } } },
      TrailPolicy: {
        ...isForTrail,
        Type: 'AWS::SNS::TopicPolicy',
        Properties: { Topics: [{ Ref: 'Trail' }], PolicyDocument: substituted(topicPolicy(references)) },
      },
      TrailSubscription: {
        ...isForTrail,
        Type: 'AWS::SNS::Subscription',
        Properties: { TopicArn: { Ref: 'Trail' }, Protocol: 'sqs', Endpoint: getArn('Events') },
      },
    },
    Outputs: {
      QueueUrl: { Description: 'inventory.events.queue', Value: { Ref: 'Events' } },
      BusArn: { Value: getArn('Bus') },
    },
  }
}

const forwardParameters = {
  BusArn: text('Bus of the hub that events are forwarded to'),
  RoleRegion: text('Region whose stack makes the role, which is the same in all', 'us-east-1'),
}

function forward(): object {
  const role = { 'Fn::Sub': `arn:\${AWS::Partition}:iam::\${AWS::AccountId}:role${forwarder.path}${forwarder.name}` }
  const rule = (name: string, EventPattern: object) => ({
    Type: 'AWS::Events::Rule',
    Properties: {
      Name: `sallyport-${name}`,
      EventPattern,
      Targets: [{ Id: 'hub', Arn: { Ref: 'BusArn' }, RoleArn: role }],
    },
  })
  return {
    Description: 'Sallyport: forwards events of an account and region to the hub',
    Parameters: forwardParameters,
    Conditions: { MakesRole: { 'Fn::Equals': [{ Ref: 'AWS::Region' }, { Ref: 'RoleRegion' }] } },
    Resources: {
      Forward: {
        Type: 'AWS::IAM::Role',
        Condition: 'MakesRole',
        Properties: {
          RoleName: forwarder.name,
          Path: forwarder.path,
          AssumeRolePolicyDocument: forwarderTrust(),
          Policies: [
            {
              PolicyName: 'sallyport',
              PolicyDocument: substituted(forwarderPermissions({ busArn: `\${BusArn}` })),
            },
          ],
        },
      },
      Calls: rule('calls', eventPatterns.calls),
      Changes: rule('changes', eventPatterns.changes),
    },
  }
}

function stackSet(TemplateBody: string): object {
  return {
    Description: 'Sallyport: forwards events of every account of some organizational units, in some regions',
    Parameters: {
      OrganizationalUnits: { Type: 'CommaDelimitedList', Description: 'Units whose accounts forward' },
      Regions: { Type: 'CommaDelimitedList', Description: 'Regions that are in use; that of the role is one of them' },
      CallAs: callAs,
      ...forwardParameters,
    },
    Resources: {
      Forwarding: {
        Type: 'AWS::CloudFormation::StackSet',
        Properties: {
          StackSetName: 'sallyport-events',
          PermissionModel: 'SERVICE_MANAGED',
          CallAs: { Ref: 'CallAs' },
          AutoDeployment: { Enabled: true, RetainStacksOnAccountRemoval: false },
          Capabilities: ['CAPABILITY_NAMED_IAM'],
          Parameters: Object.keys(forwardParameters).map((name) => ({
            ParameterKey: name,
            ParameterValue: { Ref: name },
          })),
          StackInstancesGroup: [
            {
              DeploymentTargets: { OrganizationalUnitIds: { Ref: 'OrganizationalUnits' } },
              Regions: { Ref: 'Regions' },
            },
          ],
          TemplateBody,
        },
      },
    },
  }
}

/** Texts with references, as CloudFormation fills them in. */
function substituted(value: unknown): unknown {
  if (typeof value === 'string') return value.includes('${') ? { 'Fn::Sub': value } : value
  if (Array.isArray(value)) return value.map(substituted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, substituted(inner)]))
}
