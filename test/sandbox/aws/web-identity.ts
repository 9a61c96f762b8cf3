import { createPublicKey, verify } from 'node:crypto'
import { type AssumedRole, type AssumeRoleDeps, checkLength, sessionPolicyOf } from './assume-role.ts'
import type { AssumeRoleInput } from './assume-role-input.ts'
import { AwsFault } from './aws-fault.ts'
import { evaluate } from './evaluate.ts'
import { packedPolicySize } from './packed-size.ts'
import { parsePolicy } from './policy.ts'
import { accountOf, findRole, type OidcProvider, type Role } from './world.ts'

/**
 * AssumeRoleWithWebIdentity: an ID token of an issuer that the role's account has an OIDC provider for, checked against the keys
 * that the issuer publishes. Tags and source identity come from claims of the token only (`specs/aws.md` 1.3). RS256 alone.
 */
interface Token {
  readonly claims: Readonly<Record<string, unknown>>
  readonly keyId: string | undefined
  readonly signed: Buffer
  readonly signature: Buffer
}

const shortest = 4
const longest = 20_000
const tagsClaim = 'https://aws.amazon.com/tags'
const sourceClaim = 'https://aws.amazon.com/source_identity'

/** @throws AwsFault ValidationError, InvalidIdentityToken, IDPCommunicationError, ExpiredTokenException, AccessDenied … */
export async function assumeRoleWithWebIdentity(
  deps: AssumeRoleDeps,
  input: AssumeRoleInput,
  token: string,
  now: number,
): Promise<AssumedRole> {
  if (token.length < shortest || token.length > longest)
    throw new AwsFault('ValidationError', 400, `webIdentityToken must have ${shortest} to ${longest} characters`)
  const role = findRole(deps.world, input.roleArn)
  if (!role) throw denied('there is no such role')
  const read = readToken(token)
  const provider = await believe(deps.world.oidcProviders, accountOf(role.arn), read, now)
  const { tags, transitive } = readTags(read.claims[tagsClaim])
  const source = read.claims[sourceClaim]
  const actions = ['sts:AssumeRoleWithWebIdentity']
  if (Object.keys(tags).length > 0) actions.push('sts:TagSession')
  if (typeof source === 'string') actions.push('sts:SetSourceIdentity')
  for (const action of actions) {
    if (deps.isDenied(action)) throw denied('denied by a fault knob')
    authorize(role, provider, action, contextOf(provider, read.claims, tags))
  }
  checkLength(role, input)
  const caller = deps.callers.issue(role, {
    roleArn: role.arn,
    name: input.sessionName,
    issuedAt: now,
    expiresAt: now + input.durationSeconds * 1000,
    policy: sessionPolicyOf(deps.world, role, input),
    tags,
    transitiveTagKeys: transitive,
    sourceIdentity: typeof source === 'string' ? source : null,
    isChained: false,
  })
  return { caller, packedPolicySize: packedPolicySize(input.policy, tags) }
}

function readToken(token: string): Token {
  const [header = '', payload = '', signature = '', ...rest] = token.split('.')
  try {
    const head = JSON.parse(Buffer.from(header, 'base64url').toString()) as { alg?: unknown; kid?: string }
    if (head.alg !== 'RS256' || rest.length > 0) throw new Error('not signed with RS256')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>
    const signed = Buffer.from(`${header}.${payload}`)
    return { claims, keyId: head.kid, signed, signature: Buffer.from(signature, 'base64url') }
  } catch (error) {
    throw invalid('The ID Token provided is not a valid JWT.', (error as Error).message)
  }
}

/** The provider that stands for it, after every check. */
async function believe(
  providers: readonly OidcProvider[],
  account: string,
  token: Token,
  now: number,
): Promise<OidcProvider> {
  const { iss, aud, exp } = token.claims
  const provider = providers.find(({ arn, issuer }) => accountOf(arn) === account && issuer === iss)
  if (!provider) throw invalid(`No OpenIDConnect provider found in your account for ${iss}`)
  const keys = await publishedKeys(provider.issuer)
  const isSigned = keys
    .filter(({ kid }) => token.keyId === undefined || kid === token.keyId)
    .some((key) =>
      verify('sha256', token.signed, createPublicKey({ key: key as never, format: 'jwk' }), token.signature),
    )
  if (!isSigned) throw invalid("Couldn't verify the signature of the token")
  if (typeof exp !== 'number' || now >= exp * 1000)
    throw new AwsFault('ExpiredTokenException', 400, 'Token expired: current date/time must be before the expiration')
  if (![aud].flat().some((one) => provider.clientIds.includes(String(one)))) throw invalid('Incorrect token audience')
  return provider
}

async function publishedKeys(issuer: string): Promise<{ kid?: string }[]> {
  try {
    const read = async (url: string) => (await fetch(url, { signal: AbortSignal.timeout(5000) })).json()
    const { jwks_uri: keysUrl } = (await read(`${issuer}/.well-known/openid-configuration`)) as { jwks_uri: string }
    return ((await read(keysUrl)) as { keys: { kid?: string }[] }).keys
  } catch (error) {
    throw new AwsFault('IDPCommunicationError', 400, 'The identity provider did not answer', (error as Error).message)
  }
}

function authorize(role: Role, provider: OidcProvider, action: string, context: Map<string, string[]>): void {
  const names = (federated: readonly string[] | undefined) => federated?.includes(provider.arn) ?? false
  const access = { action, resource: role.arn, context }
  const verdict = evaluate([parsePolicy(role.trust, 'trust')], access, ({ principals }) => names(principals.Federated))
  if (verdict !== 'allow') throw denied(`the trust policy does not allow ${action}`)
}

function contextOf({ issuer, arn }: OidcProvider, claims: Token['claims'], tags: Readonly<Record<string, string>>) {
  const host = issuer.replace(/^https?:\/\//, '').toLowerCase()
  const context = new Map<string, string[]>([['aws:federatedprovider', [arn]]])
  for (const claim of ['aud', 'sub', 'amr', 'email'])
    if (claims[claim] !== undefined) context.set(`${host}:${claim}`, [claims[claim]].flat().map(String))
  for (const [key, value] of Object.entries(tags)) context.set(`aws:requesttag/${key.toLowerCase()}`, [value])
  return context
}

function readTags(claim: unknown): { tags: Record<string, string>; transitive: string[] } {
  if (claim === undefined) return { tags: {}, transitive: [] }
  const { principal_tags: tags, transitive_tag_keys: transitive = [] } = claim as {
    principal_tags?: Record<string, string[]>
    transitive_tag_keys?: string[]
  }
  const values = Object.entries(tags ?? {}).map(([key, [value = '', ...more]]) => {
    if (more.length > 0) throw invalid(`the tag ${key} has several values`)
    return [key, value]
  })
  return { tags: Object.fromEntries(values) as Record<string, string>, transitive }
}

function invalid(message: string, reason = message): AwsFault {
  return new AwsFault('InvalidIdentityToken', 400, message, reason)
}

function denied(reason: string): AwsFault {
  return new AwsFault('AccessDenied', 403, 'Not authorized to perform sts:AssumeRoleWithWebIdentity', reason)
}
