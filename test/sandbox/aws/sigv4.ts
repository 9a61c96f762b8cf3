import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { AwsFault } from './aws-fault.ts'

/**
 * AWS Signature Version 4, the verifying side (IAM User Guide, "Create a signed AWS API request"; vectors in
 * test/fixtures/aws-vectors.json). Header and query signing. Left out: S3's rules for paths, chunked payloads, SigV4A.
 */
export interface SignedRequest {
  readonly method: string
  /** Path and query exactly as they came. */
  readonly target: string
  /** In the order they came; names in any case. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Uint8Array
}

/** What was signed, by which key; not yet believed. */
export interface Signature {
  readonly accessKeyId: string
  /** YYYYMMDD */
  readonly day: string
  readonly region: string
  readonly service: string
  /** YYYYMMDD'T'HHMMSS'Z' */
  readonly amzDate: string
  readonly signedHeaders: readonly string[]
  readonly signature: string
  readonly token: string | null
  /** Of a presigned URL; null when the headers were signed. */
  readonly expiresSeconds: number | null
}

const maxSkewMs = 15 * 60_000
const emptyHash = sha256('')
const unsigned = 'UNSIGNED-PAYLOAD'

/** @throws AwsFault MissingAuthenticationToken, IncompleteSignature */
export function readHeaderSignature(request: SignedRequest): Signature {
  const headers = byName(request)
  const authorization = headers.get('authorization')
  if (!authorization) throw new AwsFault('MissingAuthenticationToken', 403, 'Request is missing Authentication Token')
  const parts = /^AWS4-HMAC-SHA256 +Credential=([^,\s]+), *SignedHeaders=([^,\s]+), *Signature=([0-9a-f]{64})$/.exec(
    authorization,
  )
  if (!parts) throw incomplete('Authorization header requires Credential, SignedHeaders and Signature')
  const [, credential = '', signedHeaders = '', signature = ''] = parts
  return {
    ...readCredential(credential),
    amzDate: headers.get('x-amz-date') ?? '',
    signedHeaders: signedHeaders.split(';'),
    signature,
    token: headers.get('x-amz-security-token') ?? null,
    expiresSeconds: null,
  }
}

/** @throws AwsFault MissingAuthenticationToken, IncompleteSignature */
export function readQuerySignature(request: SignedRequest): Signature {
  const query = new Map<string, string>()
  for (const [name, value] of queryOf(request.target)) {
    if (query.has(name)) throw incomplete(`${name} is given twice`)
    query.set(name, value)
  }
  const need = (name: string) => {
    const value = query.get(name)
    if (!value) throw incomplete(`${name} is missing`)
    return value
  }
  if (need('X-Amz-Algorithm') !== 'AWS4-HMAC-SHA256') throw incomplete('unknown X-Amz-Algorithm')
  const expires = need('X-Amz-Expires')
  if (!/^\d{1,6}$/.test(expires)) throw incomplete('X-Amz-Expires is not a number of seconds')
  return {
    ...readCredential(need('X-Amz-Credential')),
    amzDate: need('X-Amz-Date'),
    signedHeaders: need('X-Amz-SignedHeaders').split(';'),
    signature: need('X-Amz-Signature'),
    token: query.get('X-Amz-Security-Token') ?? null,
    expiresSeconds: Number(expires),
  }
}

/** @throws AwsFault SignatureDoesNotMatch when it was made for another service or region, or at another time */
export function checkScope(
  signature: Signature,
  expected: { service: string; regions: readonly string[] },
  now: number,
): void {
  if (signature.service !== expected.service)
    throw mismatch(`Credential should be scoped to correct service: '${expected.service}'.`)
  if (!expected.regions.includes(signature.region)) throw mismatch('Credential should be scoped to a valid region.')
  const signedAt = instantOf(signature.amzDate)
  if (signedAt === null) throw incomplete('Date must be in ISO-8601 basic format')
  if (signature.day !== signature.amzDate.slice(0, 8))
    throw mismatch(`Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date`)
  const oldest = now - (signature.expiresSeconds === null ? maxSkewMs : signature.expiresSeconds * 1000)
  if (signedAt > now + maxSkewMs)
    throw mismatch(`Signature not yet current: ${signature.amzDate} is still later than ${amzDate(now)} (+ 15 min.)`)
  if (signature.expiresSeconds === null ? signedAt < oldest : signedAt <= oldest)
    throw mismatch(`Signature expired: ${signature.amzDate} is now earlier than ${amzDate(oldest)}`)
}

/** @throws AwsFault SignatureDoesNotMatch, IncompleteSignature when something that matters was left unsigned */
export function checkSignature(request: SignedRequest, signature: Signature, secret: string): void {
  const headers = byName(request)
  if (!signature.signedHeaders.includes('host')) throw incomplete("'Host' must be a 'SignedHeader'")
  for (const name of headers.keys())
    if (name.startsWith('x-amz-') && !signature.signedHeaders.includes(name))
      throw mismatch(`the header ${name} was not signed`)
  const claimed = headers.get('x-amz-content-sha256')
  const isUnsigned = claimed === unsigned && signature.service === 's3'
  if (claimed !== undefined && claimed !== sha256(request.body) && !isUnsigned)
    throw mismatch('x-amz-content-sha256 is not the body’s')
  const expected = Buffer.from(signatureOf(stringToSign(request, signature), signature, secret))
  const actual = Buffer.from(signature.signature)
  if (expected.length !== actual.length || !timingSafeEqual(expected, actual)) throw mismatch()
}

export function canonicalRequest(request: SignedRequest, signature: Signature): string {
  const headers = byName(request)
  const names = [...signature.signedHeaders].sort()
  const path = request.target.split('?')[0] || '/'
  const lines = names.map((name) => {
    const value = headers.get(name)
    if (value === undefined) throw mismatch(`the signed header ${name} is missing`)
    return `${name}:${value}\n`
  })
  return [
    request.method.toUpperCase(),
    path.split('/').map(encode).join('/'), // once more than on the wire, as every service but S3 does
    canonicalQuery(request.target),
    lines.join(''),
    names.join(';'),
    signature.expiresSeconds === null ? payloadHash(request, headers) : emptyHash,
  ].join('\n')
}

/** S3 alone lets the body go unsigned. */
function payloadHash(request: SignedRequest, headers: ReadonlyMap<string, string>): string {
  return headers.get('x-amz-content-sha256') === unsigned ? unsigned : sha256(request.body)
}

export function stringToSign(request: SignedRequest, signature: Signature): string {
  const { day, region, service, amzDate: date } = signature
  const scope = `${day}/${region}/${service}/aws4_request`
  return `AWS4-HMAC-SHA256\n${date}\n${scope}\n${sha256(canonicalRequest(request, signature))}`
}

function signatureOf(text: string, scope: Signature, secret: string): string {
  let key: string | Buffer = `AWS4${secret}`
  for (const part of [scope.day, scope.region, scope.service, 'aws4_request'])
    key = createHmac('sha256', key).update(part).digest()
  return createHmac('sha256', key).update(text).digest('hex')
}

/** Name and value of each query parameter, decoded, in their order. */
export function queryOf(target: string): [name: string, value: string][] {
  const at = target.indexOf('?')
  if (at < 0) return []
  return target
    .slice(at + 1)
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const equals = pair.indexOf('=')
      const [name, value] = equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)]
      return [decode(name), decode(value)]
    })
}

function canonicalQuery(target: string): string {
  return queryOf(target)
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([a, x], [b, y]) => (a === b ? compare(x, y) : compare(a, b)))
    .map((pair) => pair.join('='))
    .join('&')
}

/** By code point; both sides are ASCII. */
const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

function readCredential(credential: string): Pick<Signature, 'accessKeyId' | 'day' | 'region' | 'service'> {
  const [accessKeyId = '', day = '', region = '', service = '', end, ...more] = credential.split('/')
  if (end !== 'aws4_request' || more.length > 0)
    throw incomplete('Credential must have exactly 5 slash-delimited elements')
  return { accessKeyId, day, region, service }
}

function byName(request: SignedRequest): Map<string, string> {
  const headers = new Map<string, string>()
  for (const [name, raw] of request.headers) {
    const value = raw.trim().replaceAll(/ +/g, ' ')
    const before = headers.get(name.toLowerCase())
    headers.set(name.toLowerCase(), before === undefined ? value : `${before},${value}`)
  }
  return headers
}

/** Epoch milliseconds of YYYYMMDD'T'HHMMSS'Z', or null. */
export function instantOf(text: string): number | null {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text)
  if (!parts) return null
  const [, year, month, day, hour, minute, second] = parts
  const at = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(at) ? null : at
}

function amzDate(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`
}

/** RFC 3986: everything but unreserved characters. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw incomplete('the query is not percent-encoded UTF-8')
  }
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

function incomplete(message: string): AwsFault {
  return new AwsFault('IncompleteSignature', 400, message)
}

function mismatch(reason?: string): AwsFault {
  const message =
    'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.'
  return new AwsFault('SignatureDoesNotMatch', 403, reason ?? message, reason ?? 'the signature is wrong')
}
