import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { BrokerError } from '../../../proxy/session.ts'
import type { SignedIn } from '../../contract/login.ts'
import type { Vouched } from '../../identity/logins/logins.ts'
import type { Login } from '../../identity/principal.ts'
import { route } from '../../identity/route.ts'
import type { Confirmation } from '../../identity/sign-in/cli-sign-ins.ts'
import { sendPage } from '../pages/html.ts'
import { confirmCommand } from '../pages/sign-in-pages.ts'
import { demandOwnOrigin, publicLimits, type SignInContext, signInAtProvider } from './login-browser.ts'

type CliPurpose = Extract<Confirmation['purpose'], { for: 'cli' }>

/** `sallyport login` opens the first page; the last redirect goes to its loopback port (RFC 8252, section 7.3). */
export const cliLoginPages = (context: SignInContext) => (app: FastifyInstance) => {
  route(
    app,
    'GET /api/v1/cli/authorize',
    ({ query: { max_age, ...asked }, reply }) =>
      signInAtProvider(context, reply, { for: 'cli', ...asked }, { maxAgeS: max_age ?? null, acr: null }),
    publicLimits,
  )
  route(
    app,
    'GET /cli/confirm',
    async ({ request, reply }) => {
      const { confirmation, purpose } = await forCommand(context, request)
      return sendPage(reply, 'Confirm the sign-in', confirmCommand(confirmation, purpose.port, request.ip), {
        formLeadsTo: `http://127.0.0.1:${purpose.port}`,
      })
    },
    publicLimits,
  )
  route(
    app,
    'POST /cli/confirm',
    async ({ body: { form, decision }, request, reply }) => {
      demandOwnOrigin(context, request)
      const { purpose } = await forCommand(context, request, form)
      const { vouched } = await spend(context, request, reply)
      if (decision === 'deny') {
        context.logins.failed('denied', request.ip)
        return reply.redirect(toCommand(purpose, { error: 'denied' }), 303)
      }
      const code = await context.cliSignIns.issueCode(vouched, purpose.challenge, request.ip)
      return reply.redirect(toCommand(purpose, { code }), 303)
    },
    publicLimits,
  )
}

export const cliLoginApi = (context: SignInContext) => (app: FastifyInstance) => {
  route(
    app,
    'POST /api/v1/cli/token',
    async ({ body: { code, verifier }, request, reply }) => {
      const vouched = await redeem(context, code, verifier, request.ip)
      reply.header('cache-control', 'no-store')
      return await beginCliLogin(context, vouched, request.ip)
    },
    publicLimits,
  )
}

async function redeem(context: SignInContext, code: string, verifier: string, address: string): Promise<Vouched> {
  try {
    return await context.cliSignIns.redeemCode(code, verifier)
  } catch (error) {
    context.logins.failed('bad-code', address)
    throw error
  }
}

/** What a command gets at the end of either sign-in. `token` is never shown again. */
export async function beginCliLogin(context: SignInContext, vouched: Vouched, address: string): Promise<SignedIn> {
  const { secret, login } = await context.logins.begin(vouched, 'cli', { address })
  return { token: secret, ...presentLogin(login) }
}

function presentLogin({ id, principal, roles, expiresAt, probed = false }: Login) {
  return { loginId: id, principal: { id: principal.id, name: principal.name }, roles, expiresAt, probed }
}

export function toCommand(purpose: CliPurpose, answer: { code: string } | { error: string }): string {
  return `http://127.0.0.1:${purpose.port}/callback?${new URLSearchParams({ ...answer, state: purpose.state })}`
}

/** The confirmation that this browser holds. @throws BrokerError LOGIN_FAILED when the form belongs to another sign-in */
export async function confirmationOf(
  context: SignInContext,
  request: FastifyRequest,
  formId?: string,
): Promise<Confirmation | undefined> {
  const found = await context.cliSignIns.confirmations.peek(secretOf(context, request))
  if (formId !== undefined && found?.formId !== formId) throw otherSignIn()
  return found
}

async function forCommand(context: SignInContext, request: FastifyRequest, formId?: string) {
  const confirmation = await confirmationOf(context, request, formId)
  if (confirmation?.purpose.for !== 'cli')
    throw new BrokerError('LOGIN_FAILED', 'no sign-in is waiting for confirmation in this browser', {
      hint: 'run: sallyport login',
    })
  return { confirmation, purpose: confirmation.purpose }
}

/** Of several that come at once, to whichever daemon, one gets it. @throws BrokerError LOGIN_FAILED */
export async function spend(
  context: SignInContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Confirmation> {
  const taken = await context.cliSignIns.confirmations.take(secretOf(context, request))
  reply.clearCookie(context.cookies.confirm, context.cookies.options).header('cache-control', 'no-store')
  if (!taken) throw otherSignIn()
  return taken
}

/** Of the confirmation, in this browser's cookie. */
export function secretOf(context: SignInContext, request: FastifyRequest): string {
  return request.cookies[context.cookies.confirm] ?? ''
}

function otherSignIn(): BrokerError {
  return new BrokerError('LOGIN_FAILED', 'this page belongs to another sign-in or has expired; start again')
}
