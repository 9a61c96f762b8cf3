import type { KeyObject } from 'node:crypto'
import { Readable } from 'node:stream'
import { decodeJwt, decodeProtectedHeader, type JWTPayload, SignJWT } from 'jose'
import type { ProviderContext } from 'oidc-provider'

/** How a provider can be unlike the one in the book. They hold from the next answer on. */
export interface Switches {
  /** Each refresh replaces the refresh token; the one before is refused. */
  rotate?: boolean
  /** Claims are at the userinfo endpoint alone, not in the ID token. */
  lean?: boolean
  /** The userinfo endpoint answers 503. */
  userinfo?: 'down once' | 'down'
  groups?: OddGroups
  /** The provider's clock is so many seconds ahead of ours; behind when negative. */
  aheadS?: number
  noRefreshToken?: boolean
  /** Without `prompt=consent` there is no refresh token (OpenID Connect Core 1.0, section 11). */
  strictConsent?: boolean
  /** The token endpoint answers once this resolves. */
  slow?: Promise<void> | undefined
  /** The token endpoint's answer comes in drops, each once this resolves. */
  drip?: (() => Promise<unknown>) | undefined
}

/** `absent later`: refreshes say nothing of groups. `overage`: as Entra ID writes that there are too many. */
export type OddGroups = 'long' | 'empty text' | 'number' | 'object' | 'absent' | 'absent later' | 'overage'

const odd: Readonly<Record<OddGroups, (groups: readonly string[]) => Record<string, unknown>>> = {
  long: (groups) => ({ groups: [...groups, `CN=${'x'.repeat(290)}`] }),
  'empty text': (groups) => ({ groups: [...groups, ''] }),
  number: (groups) => ({ groups: [...groups, 7] }),
  object: (groups) => ({ groups: [...groups, { name: 'platform' }] }),
  absent: () => ({ groups: undefined }),
  'absent later': (groups) => ({ groups: [...groups] }),
  overage: () => ({
    groups: undefined,
    _claim_names: { groups: 'src1' },
    _claim_sources: { src1: { endpoint: 'https://graph.example.com/getMemberObjects' } },
  }),
}

/** The claims of a person, as this provider sends them. */
export function oddClaims(
  claims: Readonly<Record<string, unknown>>,
  { groups, lean }: Switches,
  asked: { readonly use: string; readonly isRefresh: boolean },
): Record<string, unknown> {
  if (lean && asked.use === 'id_token') return { sub: claims.sub }
  if (groups === undefined) return { ...claims }
  const way = groups === 'absent later' && asked.isRefresh ? 'absent' : groups
  return { ...claims, ...odd[way](claims.groups as readonly string[]) }
}

/** What the switches do to answers. */
export function switched(switches: Switches, key: KeyObject) {
  return async (context: ProviderContext, next: () => Promise<void>): Promise<void> => {
    if (context.path === '/me' && switches.userinfo !== undefined) {
      if (switches.userinfo === 'down once') delete switches.userinfo
      context.status = 503
      context.body = {}
      return
    }
    await next()
    if (context.path !== '/token' || context.status !== 200) return
    const { body } = context
    if (switches.noRefreshToken) delete body.refresh_token
    if (switches.aheadS && body.id_token) body.id_token = await shifted(body.id_token, switches.aheadS, key)
    await switches.slow
    if (switches.drip) context.body = Readable.from(drops(JSON.stringify(body), switches.drip))
  }
}

async function* drops(text: string, wait: () => Promise<unknown>): AsyncGenerator<Buffer> {
  const size = Math.ceil(text.length / 10)
  for (let at = 0; at < text.length; at += size) {
    yield Buffer.from(text.slice(at, at + size))
    await wait()
  }
}

/** The same token, signed at another time. */
async function shifted(token: string, byS: number, key: KeyObject): Promise<string> {
  const claims: JWTPayload = decodeJwt(token)
  const moved = Object.fromEntries(
    ['iat', 'exp', 'auth_time'].flatMap((name) => {
      const value = claims[name]
      return typeof value === 'number' ? [[name, value + byS]] : []
    }),
  )
  const { alg = 'RS256', kid } = decodeProtectedHeader(token)
  return await new SignJWT({ ...claims, ...moved }).setProtectedHeader({ alg, ...(kid ? { kid } : {}) }).sign(key)
}
