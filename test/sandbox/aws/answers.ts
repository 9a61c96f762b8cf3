import { randomUUID } from 'node:crypto'
import type { AssumedRole } from './assume-role.ts'
import type { AwsFault } from './aws-fault.ts'
import type { Caller } from './callers.ts'

/** XML of the AWS query protocol, as STS 2011-06-15 writes it. */
export type Xml = readonly [name: string, content: string | readonly Xml[]]

const namespaces = {
  sts: 'https://sts.amazonaws.com/doc/2011-06-15/',
  iam: 'https://iam.amazonaws.com/doc/2010-05-08/',
  s3: 'http://s3.amazonaws.com/doc/2006-03-01/',
  rds: 'http://rds.amazonaws.com/doc/2014-10-31/',
  ec2: 'http://ec2.amazonaws.com/doc/2016-11-15/',
} as const

export function assumeRoleAnswer(
  { caller, packedPolicySize }: AssumedRole,
  action: 'AssumeRole' | 'AssumeRoleWithWebIdentity' = 'AssumeRole',
): string {
  const { session } = caller
  if (!session) throw new Error('an assumed role has a session')
  return answer(action, [
    [
      'AssumedRoleUser',
      [
        ['AssumedRoleId', caller.userId],
        ['Arn', caller.arn],
      ],
    ],
    [
      'Credentials',
      [
        ['AccessKeyId', caller.accessKeyId],
        ['SecretAccessKey', caller.secretAccessKey],
        ['SessionToken', session.token],
        ['Expiration', new Date(session.expiresAt).toISOString().replace(/\.\d+Z$/, 'Z')],
      ],
    ],
    ...(session.sourceIdentity === null ? [] : [['SourceIdentity', session.sourceIdentity] as const]),
    ...(packedPolicySize === null ? [] : [['PackedPolicySize', String(packedPolicySize)] as const]),
  ])
}

export function callerIdentityAnswer(caller: Caller): string {
  return answer('GetCallerIdentity', [
    ['Arn', caller.arn],
    ['UserId', caller.userId],
    ['Account', caller.account],
  ])
}

/** S3 has a form of its own. */
export function errorAnswer(fault: AwsFault, service: 'query' | 's3' = 'query'): string {
  if (service === 's3') {
    const content: Xml[] = [
      ['Code', fault.code],
      ['Message', fault.message],
      ['RequestId', randomUUID()],
    ]
    return `<Error>${content.map(write).join('')}</Error>\n`
  }
  const error: Xml = [
    'Error',
    [
      ['Type', fault.status < 500 ? 'Sender' : 'Receiver'],
      ['Code', fault.code],
      ['Message', fault.message],
    ],
  ]
  return root('ErrorResponse', [error, ['RequestId', randomUUID()]])
}

/** @param result null: the action answers with nothing but its metadata */
export function answer(action: string, result: readonly Xml[] | null, service: 'sts' | 'iam' | 'rds' = 'sts'): string {
  const metadata: Xml = ['ResponseMetadata', [['RequestId', randomUUID()]]]
  return root(`${action}Response`, result ? [[`${action}Result`, result], metadata] : [metadata], service)
}

/** EC2 has neither a result nor metadata. */
export function ec2Answer(action: string, content: readonly Xml[]): string {
  return root(`${action}Response`, [['requestId', randomUUID()], ...content], 'ec2')
}

/** What the query protocol calls otherwise. */
const ec2Codes: Readonly<Record<string, readonly [code: string, status: number]>> = {
  InvalidClientTokenId: ['AuthFailure', 401],
  ExpiredToken: ['RequestExpired', 400],
  Throttling: ['RequestLimitExceeded', 503],
}

export function ec2ErrorAnswer(fault: AwsFault): { readonly status: number; readonly text: string } {
  const [code, status] = ec2Codes[fault.code] ?? [fault.code, fault.status]
  const error: Xml[] = [
    ['Code', code],
    ['Message', fault.message],
  ]
  const content: Xml[] = [
    ['Errors', [['Error', error]]],
    ['RequestID', randomUUID()],
  ]
  return { status, text: `<Response>${content.map(write).join('')}</Response>\n` }
}

export const root = (name: string, content: readonly Xml[], service: keyof typeof namespaces = 'sts') =>
  `<${name} xmlns="${namespaces[service]}">${content.map(write).join('')}</${name}>\n`

function write([name, content]: Xml): string {
  const inside = typeof content === 'string' ? escapeText(content) : content.map(write).join('')
  return `<${name}>${inside}</${name}>`
}

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escapeText = (text: string) => text.replaceAll(/[&<>"]/g, (character) => escapes[character] ?? '')
