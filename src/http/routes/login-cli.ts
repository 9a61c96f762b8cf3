import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { BrokerError } from '../../../proxy/session.ts'
import type { SignedIn } from '../../contract/login.ts'
import type { Vouched } from '../../identity/logins/logins.ts'
import type { Login } from '../../identity/principal.ts'
import { route } from '../../identity/route.ts'
import type { Confirmation } from '../../identity/sign-in/cli-sign-ins.ts'
import { sendPage } from '../pages/html.ts'
import { confirmCommand } from '../pages/sign-in-pages.ts'
import { type Desk, demandOwnOrigin, signInAtProvider, strangers } from './login-browser.ts'

type CliPurpose = Extract<Confirmation['purpose'], { for: 'cli' }>

/** `sallyport login` opens the first page; the last redirect goes to its loopback port (RFC 8252, section 7.3). */
export const cliLoginPages = (desk: Desk) => (app: FastifyInstance) => {
  route(
    app,
    'GET /api/v1/cli/authorize',
    ({ query: { max_age, ...asked }, reply }) =>
      signInAtProvider(desk, reply, { for: 'cli', ...asked }, { maxAgeS: max_age ?? null, acr: null }),
    strangers,
  )
  route(
    app,
    'GET /cli/confirm',
    async ({ request, reply }) => {
      const { confirmation, purpose } = forCommand(desk, request)
      return sendPage(reply, 'Sign in a command', confirmCommand(confirmation, purpose.port, request.ip), {
        formLeadsTo: `http://127.0.0.1:${purpose.port}`,
      })
    },
    strangers,
  )
  route(
    app,
    'POST /cli/confirm',
    async ({ body: { form, decision }, request, reply }) => {
      demandOwnOrigin(desk, request)
      const { confirmation, purpose } = forCommand(desk, request, form)
      spend(desk, request, reply)
      if (decision === 'deny') {
        desk.logins.failed('denied', request.ip)
        return reply.redirect(toCommand(purpose, { error: 'denied' }), 303)
      }
      const code = desk.cliSignIns.issueCode(confirmation.vouched, purpose.challenge, request.ip)
      return reply.redirect(toCommand(purpose, { code }), 303)
    },
    strangers,
  )
}

export const cliLoginApi = (desk: Desk) => (app: FastifyInstance) => {
  route(
    app,
    'POST /api/v1/cli/token',
    async ({ body: { code, verifier }, request, reply }) => {
      const vouched = redeem(desk, code, verifier, request.ip)
      reply.header('cache-control', 'no-store')
      return await beginCliLogin(desk, vouched, request.ip)
    },
    strangers,
  )
}

function redeem(desk: Desk, code: string, verifier: string, address: string): Vouched {
  try {
    return desk.cliSignIns.redeemCode(code, verifier)
  } catch (error) {
    desk.logins.failed('bad-code', address)
    throw error
  }
}

/** What a command is given at the end, whichever way it signed in. `token` is shown this once. */
export async function beginCliLogin(desk: Desk, vouched: Vouched, address: string): Promise<SignedIn> {
  const { secret, login } = await desk.logins.begin(vouched, 'cli', { address })
  return { token: secret, ...presentLogin(login) }
}

function presentLogin({ id, principal, roles, expiresAt }: Login) {
  return { loginId: id, principal: { id: principal.id, name: principal.name }, roles, expiresAt }
}

export function toCommand(purpose: CliPurpose, answer: { code: string } | { error: string }): string {
  return `http://127.0.0.1:${purpose.port}/callback?${new URLSearchParams({ ...answer, state: purpose.state })}`
}

/** The confirmation that this browser holds. @throws BrokerError LOGIN_FAILED when there is none, or the form is of another */
export function confirmationOf(desk: Desk, request: FastifyRequest, formId?: string): Confirmation | undefined {
  const found = desk.cliSignIns.confirmations.peek(request.cookies[desk.cookies.confirm] ?? '')
  if (formId !== undefined && found?.formId !== formId)
    throw new BrokerError('LOGIN_FAILED', 'this page is of another sign-in, or too old; start again')
  return found
}

function forCommand(desk: Desk, request: FastifyRequest, formId?: string) {
  const confirmation = confirmationOf(desk, request, formId)
  if (confirmation?.purpose.for !== 'cli')
    throw new BrokerError('LOGIN_FAILED', 'nothing waits to be confirmed here', { hint: 'run: sallyport login' })
  return { confirmation, purpose: confirmation.purpose }
}

export function spend(desk: Desk, request: FastifyRequest, reply: FastifyReply): void {
  desk.cliSignIns.confirmations.take(request.cookies[desk.cookies.confirm] ?? '')
  reply.clearCookie(desk.cookies.confirm, desk.cookies.options).header('cache-control', 'no-store')
}
