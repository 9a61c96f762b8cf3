import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { BrokerError } from '../../../proxy/session.ts'
import type { Vouched } from '../../identity/logins/logins.ts'
import { callbackPath } from '../../identity/oidc/oidc.ts'
import { route } from '../../identity/route.ts'
import { newConfirmation } from '../../identity/sign-in/cli-sign-ins.ts'
import type { PendingSignIn } from '../../identity/sign-in/sign-in.ts'
import { sendPage, style, stylePath } from '../pages/html.ts'
import { signedOut, signOut } from '../pages/sign-in-pages.ts'
import { sharedLimits } from '../plugins/shared-limits.ts'
import {
  acceptForms,
  createSignInContext,
  demandOwnOrigin,
  type LoginRoutesDeps,
  pendingSignIn,
  publicLimits,
  type SignInContext,
  serveBrowsers,
  signInAtProvider,
} from './login-browser.ts'
import { cliLoginApi, cliLoginPages, toCommand } from './login-cli.ts'
import { deviceLoginApi, deviceLoginPages } from './login-device.ts'
import { ownPath } from './return-to.ts'

export type { LoginRoutesDeps }

/** Sign-in of browsers and of the CLI, and the few pages that go with it. */
export const loginRoutes =
  (deps: LoginRoutesDeps): FastifyPluginAsync =>
  async (app) => {
    const context = createSignInContext(deps)
    await app.register(async (pages) => {
      serveBrowsers(pages)
      webLogin(context)(pages)
      cliLoginPages(context)(pages)
    })
    await app.register(async (pages) => {
      await pages.register(sharedLimits, deps)
      serveBrowsers(pages)
      deviceLoginPages(context)(pages)
    })
    await app.register(async (api) => cliLoginApi(context)(api))
    await app.register(async (api) => {
      await api.register(sharedLimits, deps)
      deviceLoginApi(context)(api)
    })
    await app.register(async (api) => providerLogout(context)(api))
  }

const webLogin = (context: SignInContext) => (app: FastifyInstance) => {
  route(app, `GET ${stylePath}`, async ({ reply }) =>
    reply.type('text/css; charset=utf-8').header('cache-control', 'max-age=3600').send(style),
  )
  route(
    app,
    'GET /login',
    async ({ query: { return_to, max_age, acr }, reply }) => {
      const purpose = { for: 'web', returnTo: ownPath(return_to, context.origin) } as const
      return signInAtProvider(context, reply, purpose, { maxAgeS: max_age ?? null, acr: acr ?? null })
    },
    publicLimits,
  )
  route(app, `GET ${callbackPath}`, ({ request, reply }) => finish(context, request, reply), publicLimits)
  route(app, 'GET /logout', async ({ login, reply }) => sendPage(reply, 'Sign out', signOut(login)))
  route(app, 'POST /logout', async ({ login, request, reply }) => {
    demandOwnOrigin(context, request)
    await context.logins.end(login.id, 'signed out')
    return sendPage(reply.clearCookie(context.cookies.session, context.cookies.options), 'Signed out', signedOut())
  })
}

async function finish(context: SignInContext, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const query = new URL(request.url, context.origin).searchParams
  const found = pendingSignIn(context, request, query.get('state'))
  const pending = found?.pending
  reply.header('cache-control', 'no-store')
  if (found) reply.clearCookie(found.name, context.cookies.options)
  try {
    if (!pending)
      throw new BrokerError('LOGIN_FAILED', 'it was started in another browser or has timed out; start again')
    return await welcome(context, request, reply, pending, await context.oidc.finish(pending, query))
  } catch (error) {
    const why = error instanceof BrokerError ? error.code : 'INTERNAL'
    context.logins.failed(why, request.ip)
    request.log.info({ err: error }, 'a sign-in failed')
    // The waiting command is told, but only of the sign-in that it began.
    if (pending?.purpose.for === 'cli') return reply.redirect(toCommand(pending.purpose, { error: why }), 303)
    throw error
  }
}

async function welcome(
  context: SignInContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { purpose }: PendingSignIn,
  vouched: Vouched,
): Promise<FastifyReply> {
  const { cookies, clock, cliSignIns, logins } = context
  if (purpose.for !== 'web') {
    const secret = await cliSignIns.confirmations.put(newConfirmation(vouched, purpose), request.ip)
    return reply
      .setCookie(cookies.confirm, secret, cookies.options)
      .redirect(purpose.for === 'cli' ? '/cli/confirm' : '/device', 303)
  }
  const { secret, login } = await logins.begin(vouched, 'web', { address: request.ip })
  const before = request.login
  if (before && before.principal.id !== login.principal.id) await logins.end(before.id, 'another person signed in')
  const maxAge = Math.max(0, Math.floor((login.expiresAt - clock.now()) / 1000))
  return reply
    .setCookie(cookies.session, secret, { ...cookies.options, maxAge })
    .redirect(`${context.origin}${purpose.returnTo}`, 303)
}

/** Back-Channel Logout 1.0, section 2.5: called by the provider itself, who proves it with a signature. */
const providerLogout = (context: SignInContext) => (app: FastifyInstance) => {
  acceptForms(app)
  route(
    app,
    `POST ${callbackPath}/logout`,
    async ({ body, reply }) => {
      await context.logins.endOf(
        await context.oidc.readLogoutToken(body.logout_token),
        'ended at the identity provider',
      )
      reply.header('cache-control', 'no-store')
    },
    publicLimits,
  )
}
