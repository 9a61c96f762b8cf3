import type { AwsCredentials } from '../../aws/aws.ts'
import { toIdentity } from '../../aws/client-options.ts'

/** Where a token is checked. */
export interface TokenPlace {
  readonly partition: string
  readonly region: string
  /** Name of the cluster. */
  readonly cluster: string
}

/** What aws-iam-authenticator takes, besides nothing else in the query. */
const prefix = 'k8s-aws-v1.'
/** Of the signature, in seconds; clusters take the token for 15 minutes from its date. */
const expiresIn = 60

/**
 * A token for an EKS cluster: a presigned `GetCallerIdentity` with the name of the cluster among its signed headers, as
 * `aws eks get-token` makes it (aws-iam-authenticator, "API Authorization from Outside a Cluster").
 * @param now epoch milliseconds
 */
export async function clusterToken(
  { partition, region, cluster }: TokenPlace,
  credentials: AwsCredentials,
  now: number,
): Promise<string> {
  const { SignatureV4 } = await import('@smithy/signature-v4')
  const { Sha256 } = await import('@smithy/core/checksum')
  const { expiration: _, sessionToken, ...keys } = toIdentity(credentials)
  const identity = sessionToken === '' ? keys : { ...keys, sessionToken }
  const signer = new SignatureV4({ service: 'sts', region, credentials: identity, sha256: Sha256 })
  const hostname = `sts.${region}.amazonaws.com${partition === 'aws-cn' ? '.cn' : ''}`
  const signed = await signer.presign(
    {
      method: 'GET',
      protocol: 'https:',
      hostname,
      path: '/',
      query: { Action: 'GetCallerIdentity', Version: '2011-06-15' },
      headers: { host: hostname, 'x-k8s-aws-id': cluster },
    },
    { expiresIn, signingDate: new Date(now), unhoistableHeaders: new Set(['x-k8s-aws-id']) },
  )
  const { 'X-Amz-Signature': signature, ...parameters } = signed.query ?? {}
  const names = Object.keys(parameters).sort()
  const query = [...names.map((name) => [name, parameters[name]]), ['X-Amz-Signature', signature]]
    .map(([name, value]) => `${name}=${escapeStrictly(String(value))}`)
    .join('&')
  return `${prefix}${Buffer.from(`https://${hostname}/?${query}`).toString('base64url')}`
}

/** RFC 3986, as the signature has it. */
function escapeStrictly(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`)
}
