import { decorate } from '../../aws/policies/base.ts'
import type { PolicyPart, Statement } from '../../catalog/policy-part.ts'
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
      'ssm:DescribeSessions': 'finds what a daemon that died has left open',
      'ssm:DescribeInstanceInformation': 'aws validate says whether the agent is connected and new enough',
      'ssmmessages:OpenDataChannel': 'carries what is typed and shown',
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

const part: PolicyPart = {
  feature: 'shells',
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
  level: Pick<InstanceLevel, 'document' | 'commands' | 'kmsKey'>,
): Record<string, string[]> {
  const { kmsKey } = level
  const key = kmsKey === null ? {} : { sessionKeys: [kmsKey.slice(kmsKey.indexOf('/') + 1)] }
  return { sessionDocuments: documentsOf(level), ...key }
}
