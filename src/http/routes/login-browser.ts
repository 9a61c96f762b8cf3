import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { BrokerError, errors } from '../../../proxy/session.ts'
import type { Logins } from '../../identity/logins/logins.ts'
import type { Oidc } from '../../identity/oidc/oidc.ts'
import { type CliSignIns, createCliSignIns } from '../../identity/sign-in/cli-sign-ins.ts'
import { createSealedSignIns, type SealedSignIns } from '../../identity/sign-in/sealed-cookie.ts'
import { type SignInPurpose, type Strength, signInWithinMs } from '../../identity/sign-in/sign-in.ts'
import type { Keyring } from '../../store/keyring.ts'
import type { Db } from '../../store/store.ts'
import type { Clock } from '../../telemetry/clock.ts'
import { sendPage } from '../pages/html.ts'
import { failure } from '../pages/sign-in-pages.ts'
import { sessionCookieName } from '../plugins/authentication.ts'
import { toBrokerError } from '../plugins/problems.ts'

export interface LoginRoutesDeps {
  readonly oidc: Oidc
  readonly logins: Logins
  readonly db: Db
  readonly keyring: Pick<Keyring, 'seal' | 'unseal' | 'derive'>
  readonly clock: Clock
  /** `server.public_url` */
  readonly publicUrl: string
  /** How often a waiting `login --device` may ask, ms; default 2 s. */
  readonly deviceIntervalMs?: number
}

/** What the sign-in routes share. */
export interface SignInContext extends LoginRoutesDeps {
  readonly origin: string
  readonly cookies: Cookies
  readonly sealed: SealedSignIns
  readonly cliSignIns: CliSignIns
  readonly intervalMs: number
}

interface Cookies {
  readonly session: string
  /** The sealed sign-in, while the person is at the provider; each tab has its own. */
  signIn(state: string): string
  /** Secret of a `Confirmation`. */
  readonly confirm: string
  readonly options: { path: '/'; httpOnly: true; sameSite: 'lax'; secure: boolean }
}

export function createSignInContext(deps: LoginRoutesDeps): SignInContext {
  const session = sessionCookieName(deps.publicUrl)
  const intervalMs = deps.deviceIntervalMs ?? 2000
  return {
    ...deps,
    origin: new URL(deps.publicUrl).origin,
    sealed: createSealedSignIns(deps),
    cliSignIns: createCliSignIns(deps, { deviceIntervalMs: intervalMs }),
    intervalMs,
    cookies: {
      session,
      signIn: (state) => `${session}-sign-in-${state}`,
      confirm: `${session}-confirm`,
      // Lax: the provider sends the browser back from another site.
      options: { path: '/', httpOnly: true, sameSite: 'lax', secure: deps.publicUrl.startsWith('https:') },
    },
  }
}

/** Sends the browser to the provider. */
export async function signInAtProvider(
  context: SignInContext,
  reply: FastifyReply,
  purpose: SignInPurpose,
  strength?: Strength,
): Promise<FastifyReply> {
  const { url, pending } = await context.oidc.start(purpose, strength)
  const options = { ...context.cookies.options, maxAge: signInWithinMs / 1000 }
  const sealed = context.sealed.seal(pending)
  reply.setCookie(context.cookies.signIn(pending.state), sealed, options)
  for (const name of abandoned(context, reply.request.cookies, mostSignInBytes - sealed.length))
    reply.clearCookie(name, context.cookies.options)
  return reply.header('cache-control', 'no-store').redirect(url.href, 303)
}

/** Browsers send all of them with each request, and a server refuses headers above 16 KB. */
const mostSignInBytes = 6 * 1024
const stateForm = /^[A-Za-z0-9_-]{43}$/

/** The sign-in that the provider's answer belongs to, if this very browser began it. @returns the cookie's name too */
export function pendingSignIn(context: SignInContext, request: FastifyRequest, state: string | null) {
  if (state === null || !stateForm.test(state)) return null
  const name = context.cookies.signIn(state)
  const pending = context.sealed.open(request.cookies[name])
  return pending?.state === state ? { name, pending } : null
}

/** Names of sign-ins that are over, and of the oldest ones beyond the room that there is. */
function abandoned(context: SignInContext, cookies: FastifyRequest['cookies'], roomBytes: number): string[] {
  const prefix = context.cookies.signIn('')
  const begun = Object.entries(cookies)
    .filter(([name]) => name.startsWith(prefix) && stateForm.test(name.slice(prefix.length)))
    .map(([name, sealed = '']) => {
      return { name, bytes: name.length + sealed.length, startedAt: context.sealed.open(sealed)?.startedAt ?? 0 }
    })
    .sort((a, b) => b.startedAt - a.startedAt)
  let left = roomBytes
  return begun
    .filter(({ bytes, startedAt }) => {
      left -= bytes
      return startedAt === 0 || left < 0
    })
    .map(({ name }) => name)
}

/** Forms of our own pages only. Browsers send Origin with every POST; its absence is refused too. */
export function demandOwnOrigin(context: SignInContext, request: FastifyRequest): void {
  if (request.headers.origin !== context.origin) throw new BrokerError('ORIGIN_REFUSED')
}

export function acceptForms(app: FastifyInstance): void {
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: 16 * 1024 },
    (_request, body, done) => done(null, Object.fromEntries(new URLSearchParams(body.toString()))),
  )
}

/** For scopes whose clients are people: errors as pages, forms as bodies. */
export function serveBrowsers(app: FastifyInstance): void {
  acceptForms(app)
  app.setErrorHandler((error, request, reply) => {
    const known = toBrokerError(error as Parameters<typeof toBrokerError>[0])
    if (known.code === 'INTERNAL') request.log.error({ err: error, route: request.routeOptions.url }, 'request failed')
    return sendPage(reply, 'Something went wrong', failure(known), { status: errors[known.code].status })
  })
}

/** Limits for routes that need no sign-in, per minute and address. */
export const publicLimits = { rateLimit: { max: 120, timeWindow: '1 minute' } } as const
