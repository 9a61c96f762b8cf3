import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { AwsFault } from '../sandbox/aws/aws-fault.ts'
import {
  canonicalRequest,
  checkScope,
  checkSignature,
  readHeaderSignature,
  readQuerySignature,
  type SignedRequest,
  stringToSign,
} from '../sandbox/aws/sigv4.ts'

interface Vectors {
  readonly clock: string
  readonly sigv4Header: readonly {
    readonly name: string
    readonly input: {
      readonly service: string
      readonly region: string
      readonly method: string
      readonly url: string
      readonly body: string
      readonly headers: Readonly<Record<string, string>>
      readonly credentials: { readonly secretAccessKey: string }
    }
    readonly canonicalRequest: string
    readonly stringToSign: string
    readonly signedHeadersOut: Readonly<Record<string, string>>
  }[]
  readonly stsGetCallerIdentityPresign: readonly {
    readonly name: string
    readonly input: {
      readonly region: string
      readonly expiresSeconds: number
      readonly credentials: { readonly secretAccessKey: string }
    }
    readonly output: string
  }[]
  readonly eksToken: readonly {
    readonly name: string
    readonly input: { readonly clusterName: string; readonly credentials: { readonly secretAccessKey: string } }
    readonly presignedUrl: string
  }[]
}

const vectors = JSON.parse(
  readFileSync(new URL('../fixtures/aws-vectors.json', import.meta.url), 'utf8'),
) as unknown as Vectors
const now = Date.parse(vectors.clock)

t.test('every header-signed vector verifies, byte for byte, and no other secret or byte does', async (t) => {
  t.ok(vectors.sigv4Header.length >= 9)
  for (const vector of vectors.sigv4Header) {
    const request = headerRequest(vector)
    const signature = readHeaderSignature(request)
    const secret = vector.input.credentials.secretAccessKey
    const { service, region } = vector.input
    t.equal(canonicalRequest(request, signature), vector.canonicalRequest, `${vector.name}: canonical request`)
    t.equal(stringToSign(request, signature), vector.stringToSign, `${vector.name}: string to sign`)
    checkScope(signature, { service, regions: [region] }, now)
    checkSignature(request, signature, secret)
    for (const changed of [
      { ...request, body: Buffer.concat([request.body, Buffer.from(' ')]) },
      { ...request, method: request.method === 'GET' ? 'POST' : 'GET' },
      { ...request, target: `${request.target}${request.target.includes('?') ? '&' : '?'}x=1` },
      {
        ...request,
        headers: request.headers.map(([name, value]) => [name, name === 'host' ? `x${value}` : value] as const),
      },
    ])
      refuses(t, () => checkSignature(changed, signature, secret), 'SignatureDoesNotMatch')
    refuses(t, () => checkSignature(request, signature, flip(secret)), 'SignatureDoesNotMatch')
    const forged = { ...signature, signature: flip(signature.signature) }
    refuses(t, () => checkSignature(request, forged, secret), 'SignatureDoesNotMatch')
  }
})

t.test('every presigned vector verifies, and with one flipped character does not', async (t) => {
  const presigned = [
    ...vectors.stsGetCallerIdentityPresign.map(({ name, input, output }) => ({
      name,
      input,
      url: output,
      headers: [],
    })),
    ...vectors.eksToken.map(({ name, input, presignedUrl }) => ({
      name: `eks ${name}`,
      input,
      url: presignedUrl,
      headers: [['x-k8s-aws-id', input.clusterName] as const],
    })),
  ]
  for (const { name, input, url, headers } of presigned) {
    const request = urlRequest(url, headers)
    const signature = readQuerySignature(request)
    checkSignature(request, signature, input.credentials.secretAccessKey)
    const at = request.target.indexOf('X-Amz-Signature=') + 'X-Amz-Signature='.length
    for (const changed of [
      request.target.replace('GetCallerIdentity', 'GetCallerIdentitx'),
      request.target.replace('Version=2011', 'Version=2012'),
      request.target.slice(0, at) + flip(request.target.slice(at, at + 64)) + request.target.slice(at + 64),
    ]) {
      const forged = { ...request, target: changed }
      const secret = input.credentials.secretAccessKey
      refuses(t, () => checkSignature(forged, readQuerySignature(forged), secret), 'SignatureDoesNotMatch')
    }
    t.pass(name)
  }
})

t.test('a signature holds for one service, one region and fifteen minutes', async (t) => {
  const vector = vectors.sigv4Header[0]
  if (!vector) throw new Error('no vector')
  const signature = readHeaderSignature(headerRequest(vector))
  const expected = { service: 'sts', regions: ['us-east-1'] }
  checkScope(signature, expected, now + 15 * 60_000)
  checkScope(signature, expected, now - 15 * 60_000)
  refuses(t, () => checkScope(signature, expected, now + 15 * 60_000 + 1), 'SignatureDoesNotMatch')
  refuses(t, () => checkScope(signature, expected, now - 15 * 60_000 - 1), 'SignatureDoesNotMatch')
  refuses(t, () => checkScope(signature, { service: 'iam', regions: ['us-east-1'] }, now), 'SignatureDoesNotMatch')
  refuses(t, () => checkScope(signature, { service: 'sts', regions: ['eu-west-1'] }, now), 'SignatureDoesNotMatch')
  refuses(t, () => checkScope({ ...signature, day: '20260114' }, expected, now), 'SignatureDoesNotMatch')
})

t.test('what a signature must cover', async (t) => {
  const vector = vectors.sigv4Header[0]
  if (!vector) throw new Error('no vector')
  const request = headerRequest(vector)
  const signature = readHeaderSignature(request)
  const secret = vector.input.credentials.secretAccessKey
  const extra = { ...request, headers: [...request.headers, ['X-Amz-Target', 'x'] as const] }
  refuses(t, () => checkSignature(extra, signature, secret), 'SignatureDoesNotMatch')
  const hostless = { ...signature, signedHeaders: ['x-amz-date'] }
  refuses(t, () => checkSignature(request, hostless, secret), 'IncompleteSignature')
  const unsigned = { ...request, headers: [] }
  refuses(t, () => readHeaderSignature(unsigned), 'MissingAuthenticationToken')
  const doubled = urlRequest(`${vectors.stsGetCallerIdentityPresign[0]?.output}&X-Amz-Expires=1`, [])
  refuses(t, () => readQuerySignature(doubled), 'IncompleteSignature')
})

function headerRequest(vector: Vectors['sigv4Header'][number]): SignedRequest {
  const { host, pathname } = new URL(vector.input.url)
  const target = vector.input.url.slice(vector.input.url.indexOf(host) + host.length) || pathname
  const headers = [['host', host] as const, ...Object.entries(vector.signedHeadersOut)]
  return { method: vector.input.method, target, headers, body: Buffer.from(vector.input.body ?? '') }
}

function urlRequest(url: string, headers: readonly (readonly [string, string])[]): SignedRequest {
  const { host } = new URL(url)
  const target = url.slice(url.indexOf(host) + host.length)
  return { method: 'GET', target, headers: [['host', host], ...headers], body: Buffer.alloc(0) }
}

function flip(text: string): string {
  const middle = text.length >> 1
  return text.slice(0, middle) + (text[middle] === '0' ? '1' : '0') + text.slice(middle + 1)
}

function refuses(t: Test, act: () => void, code: string): void {
  try {
    act()
    t.fail(`expected ${code}`)
  } catch (error) {
    t.ok(error instanceof AwsFault, 'refused as AWS refuses')
    t.equal((error as AwsFault).code, code, (error as AwsFault).reason)
  }
}
