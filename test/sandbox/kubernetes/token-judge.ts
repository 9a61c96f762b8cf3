import { authenticate } from '../aws/authenticate.ts'
import { AwsFault } from '../aws/aws-fault.ts'
import type { Caller, Callers } from '../aws/callers.ts'
import { instantOf, queryOf, readQuerySignature } from '../aws/sigv4.ts'

/** What aws-iam-authenticator, which EKS runs, checks of a token (its `pkg/token`, July 2026), and then STS. */
export interface EksTokenJudge {
  /** @throws AwsFault whose `reason` says what is wrong; clients are told nothing */
  check(token: string, cluster: { readonly name: string; readonly region: string }): Caller
}

const prefix = 'k8s-aws-v1.'
const longestToken = 4096
const livesMs = 15 * 60_000
const parameters = [
  'action',
  'version',
  'x-amz-algorithm',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-expires',
  'x-amz-security-token',
  'x-amz-signature',
  'x-amz-signedheaders',
]

export function createEksTokenJudge({ callers, now }: { callers: Callers; now(): number }): EksTokenJudge {
  return {
    check: (token, { name, region }) => {
      const url = readToken(token)
      const target = `${url.pathname}${url.search}`
      const query = queryOf(target)
      const seen = new Set<string>()
      for (const [parameter] of query) {
        const lower = parameter.toLowerCase()
        if (!parameters.includes(lower)) throw refused(`the parameter ${parameter} is not known`)
        if (seen.has(lower)) throw refused(`the parameter ${parameter} comes twice`)
        seen.add(lower)
      }
      const value = (parameter: string) => query.find(([one]) => one === parameter)?.[1] ?? ''
      if (value('Action') !== 'GetCallerIdentity') throw refused('Action is not GetCallerIdentity')
      const allowed = [`sts.${region}.amazonaws.com`, 'sts.amazonaws.com']
      if (!allowed.includes(url.host)) throw refused(`the host ${url.host} is none of STS`)
      // The verifier adds its own name; signed for another one, the signature is wrong.
      const request = {
        method: 'GET',
        target,
        headers: [['host', url.host] as const, ['x-k8s-aws-id', name] as const],
        body: new Uint8Array(0),
      }
      const signature = readQuerySignature(request)
      if (!signature.signedHeaders.includes('x-k8s-aws-id')) throw refused('x-k8s-aws-id is not signed')
      if (!(signature.expiresSeconds !== null && signature.expiresSeconds <= 900)) throw refused('X-Amz-Expires')
      const signedAt = instantOf(signature.amzDate) ?? 0
      if (now() > signedAt + livesMs) throw refused('the token is older than 15 minutes')
      // STS goes by the date alone here, too.
      const believed = { ...signature, expiresSeconds: livesMs / 1000 }
      const scope = url.host === 'sts.amazonaws.com' ? 'us-east-1' : region
      return authenticate(request, believed, { service: 'sts', regions: [scope] }, callers, now())
    },
  }
}

function readToken(token: string): URL {
  if (token.length > longestToken) throw refused('the token is too long')
  if (!token.startsWith(prefix)) throw refused('the token has another prefix')
  const encoded = token.slice(prefix.length)
  if (!/^[A-Za-z0-9_-]+$/.test(encoded)) throw refused('the token is not base64url without padding')
  const url = new URL(Buffer.from(encoded, 'base64url').toString())
  if (url.protocol !== 'https:' || url.pathname !== '/') throw refused('the URL is not https, or has a path')
  return url
}

function refused(reason: string): AwsFault {
  return new AwsFault('AccessDenied', 401, 'Unauthorized', reason)
}
