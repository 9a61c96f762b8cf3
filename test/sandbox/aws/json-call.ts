import { AwsFault } from './aws-fault.ts'
import type { WireCall } from './service.ts'

/** A call of the JSON 1.0 or 1.1 protocol; not yet believed. */
export interface JsonCall {
  readonly operation: string
  readonly input: Readonly<Record<string, unknown>>
  /** That it was signed for. */
  readonly region: string
}

const targets = {
  cloudtrail: /^(?:com\.amazonaws\.cloudtrail\.v20131101\.)?CloudTrail_20131101\.(\w+)$/,
  ssm: /^AmazonSSM\.(\w+)$/,
  kms: /^TrentService\.(\w+)$/,
  organizations: /^AWSOrganizationsV20161128\.(\w+)$/,
  sso: /^SWBExternalService\.(\w+)$/,
  identitystore: /^AWSIdentityStore\.(\w+)$/,
  sqs: /^AmazonSQS\.(\w+)$/,
} as const

/** Those of the JSON protocols. */
export type JsonService = keyof typeof targets

/** Of its calls and answers. */
export function jsonType(service: JsonService): string {
  return service === 'sqs' ? 'application/x-amz-json-1.0' : 'application/x-amz-json-1.1'
}

/** @throws AwsFault for anything but one JSON object in the body of a POST to `/` */
export function readJsonCall(service: JsonService, { method, target, headers, body, region }: WireCall): JsonCall {
  if (method !== 'POST' || target !== '/')
    throw new AwsFault('UnknownOperationException', 404, 'POST / is the only route')
  if (headers['content-type'] !== jsonType(service))
    throw new AwsFault('UnknownOperationException', 404, `the content type is not ${jsonType(service)}`)
  const operation = targets[service].exec(String(headers['x-amz-target']))?.[1]
  if (operation === undefined) throw new AwsFault('UnknownOperationException', 400, 'X-Amz-Target names no operation')
  try {
    const input: unknown = JSON.parse(body.toString('utf8'))
    if (typeof input === 'object' && input !== null && !Array.isArray(input))
      return { operation, input: input as JsonCall['input'], region }
  } catch {
    // the same as another value
  }
  throw new AwsFault('SerializationException', 400, 'the body is no JSON object')
}

/** What the query protocol calls otherwise. */
const names: Readonly<Record<string, string>> = {
  InvalidClientTokenId: 'UnrecognizedClientException',
  SignatureDoesNotMatch: 'InvalidSignatureException',
  IncompleteSignature: 'IncompleteSignatureException',
  ExpiredToken: 'ExpiredTokenException',
  Throttling: 'ThrottlingException',
}

/** All errors of the caller's have the same status. */
export function jsonErrorAnswer({ code, status, message, members }: AwsFault): {
  readonly status: number
  readonly text: string
} {
  return {
    status: status < 500 ? 400 : status,
    text: JSON.stringify({ __type: names[code] ?? code, Message: message, ...members }),
  }
}
