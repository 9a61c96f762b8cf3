import { decorate } from '../../aws/policies/base.ts'
import type { PolicyPart, SessionDocumentPart, Statement } from '../../catalog/policy-part.ts'
import { documentsOf, type InstanceLevel } from './level.ts'

const document = 'arn:{{partition}}:ssm:*:{{account}}:document/{{sessionDocuments}}'

/** What a role needs to open shells; sessions of it are restricted to one instance and one document. */
const shells: readonly Statement[] = [
  {
    sid: 'StartShells',
    actions: { 'ssm:StartSession': 'shells on instances, by the session documents made for the broker alone' },
    resources: ['arn:{{partition}}:ec2:*:{{account}}:instance/*', document],
    // Else the account's default document needs no permission.
    conditions: { BoolIfExists: { 'ssm:SessionDocumentAccessCheck': 'true' } },
  },
  {
    sid: 'ReadSessionDocuments',
    actions: { 'ssm:GetDocument': 'a document that was changed is found before it is used' },
    resources: [document],
  },
  {
    sid: 'EndShells',
    actions: {
      'ssm:TerminateSession': 'ends a shell with its access',
      'ssm:ResumeSession': 'goes on after a lost connection, which the service closes each hour',
    },
    resources: ['arn:{{partition}}:ssm:*:{{account}}:session/sp-*'],
  },
  {
    // None of them knows a resource to be restricted to.
    sid: 'CarryShells',
    actions: {
      'ssm:DescribeSessions': 'finds sessions that a daemon that died has left open, and those without a grant',
      'ssm:DescribeInstanceInformation': 'aws validate says whether the agent is connected and new enough',
      'ssmmessages:OpenDataChannel': 'carries what is typed and shown, and what is forwarded',
    },
    resources: ['*'],
  },
]

/** Elsewhere in the account none of these contexts is used. */
const keys: Statement = {
  sid: 'EncryptShells',
  actions: { 'kms:GenerateDataKey': 'sessions by documents that name a key of KMS' },
  resources: ['arn:{{partition}}:kms:*:*:key/{{sessionKeys}}'],
  conditions: { StringLike: { 'kms:EncryptionContext:aws:ssm:SessionId': 'sp-*' } },
}

/**
 * Ports that streams lead to. Names are resolved at the instance, so that those which one leads to are listed here, by their owner: AWS
 * refuses others by the pattern.
 */
export const portForward: SessionDocumentPart = {
  name: 'Sallyport-PortForward',
  title: 'session document of forwarded ports; add to the pattern of host the hosts that levels forward to',
  content: {
    schemaVersion: '1.0',
    description: 'Sallyport: ports of the instance, and of the hosts behind it that are named here',
    sessionType: 'Port',
    parameters: {
      host: { type: 'String', description: 'As the instance reaches it', allowedPattern: '^(localhost)$' },
      portNumber: { type: 'String', description: 'Its port', allowedPattern: '^[1-9][0-9]{0,4}$' },
    },
    properties: { host: '{{ host }}', portNumber: '{{ portNumber }}', type: 'LocalPortForwarding' },
  },
}

const part: PolicyPart = {
  feature: 'shells',
  sessionDocuments: [portForward],
  values: {
    sessionKeys: { description: 'ids of keys of KMS that encrypt sessions, with wildcards', default: '*' },
    sessionDocuments: { description: 'names of session documents, with wildcards', default: 'Sallyport-*' },
  },
  statements: [
    {
      document: 'spokeTrust',
      statement: { sid: 'HubMayTagShells', principal: { AWS: '{{hubRole}}' }, actions: decorate },
    },
    ...[...shells, keys].map((statement) => ({ document: 'spokePermissions' as const, statement })),
  ],
  documents: [
    {
      name: 'roleShells',
      title: 'permissions of a role that opens shells on instances',
      where: 'each brokered role',
      trust: ['hub', 'web_identity'],
      optional: { resource: 'Shells', when: 'the role opens shells on instances' },
      statements: [...shells, keys],
    },
  ],
}

export const instancePolicies = [part]

export function instancePolicyValues(
  level: Pick<InstanceLevel, 'document' | 'commands' | 'kmsKey' | 'osUser' | 'ssh' | 'forward' | 'copy'>,
): Record<string, string[]> {
  const { kmsKey, ssh, forward } = level
  const key = kmsKey === null ? {} : { sessionKeys: [kmsKey.slice(kmsKey.indexOf('/') + 1)] }
  const hasStreams = ssh !== 'none' || forward.length > 0
  return { sessionDocuments: [...documentsOf(level), ...(hasStreams ? [portForward.name] : [])], ...key }
}
