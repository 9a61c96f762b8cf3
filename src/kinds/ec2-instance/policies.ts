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
    // Neither knows a resource to be restricted to.
    sid: 'CarryShells',
    actions: {
      'ssm:DescribeSessions': 'finds what a daemon that died has left open',
      'ssmmessages:OpenDataChannel': 'carries what is typed and shown',
    },
    resources: ['*'],
  },
]

const part: PolicyPart = {
  feature: 'shells',
  values: {
    sessionDocuments: { description: 'names of session documents, with wildcards', default: 'Sallyport-*' },
  },
  statements: [
    {
      document: 'spokeTrust',
      statement: { sid: 'HubMayTagShells', principal: { AWS: '{{hubRole}}' }, actions: decorate },
    },
    ...shells.map((statement) => ({ document: 'spokePermissions' as const, statement })),
  ],
  documents: [
    {
      name: 'roleShells',
      title: 'permissions of a role that opens shells on instances',
      where: 'each brokered role',
      trust: ['hub', 'web_identity'],
      optional: { resource: 'Shells', when: 'the role opens shells on instances' },
      statements: shells,
    },
  ],
}

export const instancePolicies = [part]

export function instancePolicyValues(level: Pick<InstanceLevel, 'document' | 'commands'>): Record<string, string[]> {
  return { sessionDocuments: documentsOf(level) }
}
