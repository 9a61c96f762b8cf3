import { randomUUID } from 'node:crypto'
import type { AssumedRole } from './assume-role.ts'
import type { AwsFault } from './aws-fault.ts'
import type { Caller } from './callers.ts'

/** XML of the AWS query protocol, as STS 2011-06-15 writes it. */
type Xml = readonly [name: string, content: string | readonly Xml[]]

const namespace = 'https://sts.amazonaws.com/doc/2011-06-15/'

export function assumeRoleAnswer({ caller, packedPolicySize }: AssumedRole): string {
  const { session } = caller
  if (!session) throw new Error('an assumed role has a session')
  return answer('AssumeRole', [
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

export function errorAnswer(fault: AwsFault): string {
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

function answer(action: string, result: readonly Xml[]): string {
  return root(`${action}Response`, [
    [`${action}Result`, result],
    ['ResponseMetadata', [['RequestId', randomUUID()]]],
  ])
}

const root = (name: string, content: readonly Xml[]) =>
  `<${name} xmlns="${namespace}">${content.map(write).join('')}</${name}>\n`

function write([name, content]: Xml): string {
  const inside = typeof content === 'string' ? escapeText(content) : content.map(write).join('')
  return `<${name}>${inside}</${name}>`
}

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escapeText = (text: string) => text.replaceAll(/[&<>"]/g, (character) => escapes[character] ?? '')
