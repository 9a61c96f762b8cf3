import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { BrokerError } from '../../../proxy/session.ts'
import type { Vouched } from '../../identity/logins/logins.ts'
import type { Login } from '../../identity/principal.ts'
import type { Confirmation } from '../../identity/sign-in/cli-sign-ins.ts'
import { sendPage } from '../pages/html.ts'
import { confirmCommand } from '../pages/sign-in-pages.ts'
import { type Desk, demandOwnOrigin, signInAtProvider, strangers } from './login-browser.ts'

const Secret = Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' })
const Authorize = Type.Object(
  {
    port: Type.Integer({ minimum: 1024, maximum: 65_535, description: 'Loopback port at which the command waits' }),
    state: Secret,
    challenge: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$', description: 'S256 of the verifier' }),
    max_age: Type.Optional(Type.Integer({ minimum: 0, maximum: 86_400 })),
  },
  { additionalProperties: false },
)
const Decision = Type.Object({
  form: Type.String({ maxLength: 64 }),
  decision: Type.Union([Type.Literal('approve'), Type.Literal('deny')]),
})
const Redeem = Type.Object(
  { code: Secret, verifier: Type.String({ pattern: '^[A-Za-z0-9._~-]{43,128}$' }) },
  { additionalProperties: false },
)

type CliPurpose = Extract<Confirmation['purpose'], { for: 'cli' }>

/** `sallyport login` opens the first page; the last redirect goes to its loopback port (RFC 8252, section 7.3). */
export const cliLoginPages = (desk: Desk) => (app: FastifyInstance) => {
  app.get(
    '/api/v1/cli/authorize',
    { config: strangers, schema: { querystring: Authorize } },
    async (request, reply) => {
      const { max_age, ...asked } = request.query as Omit<CliPurpose, 'for'> & { max_age?: number }
      return signInAtProvider(desk, reply, { for: 'cli', ...asked }, { maxAgeS: max_age ?? null, acr: null })
    },
  )
  app.get('/cli/confirm', { config: strangers, schema: { hide: true } }, async (request, reply) => {
    const { confirmation, purpose } = forCommand(desk, request)
    return sendPage(reply, 'Sign in a command', confirmCommand(confirmation, purpose.port, request.ip), {
      formLeadsTo: `http://127.0.0.1:${purpose.port}`,
    })
  })
  app.post('/cli/confirm', { config: strangers, schema: { body: Decision, hide: true } }, async (request, reply) => {
    demandOwnOrigin(desk, request)
    const { form, decision } = request.body as { form: string; decision: 'approve' | 'deny' }
    const { confirmation, purpose } = forCommand(desk, request, form)
    spend(desk, request, reply)
    if (decision === 'deny') {
      desk.logins.failed('denied', request.ip)
      return reply.redirect(toCommand(purpose, { error: 'denied' }), 303)
    }
    const code = desk.cliSignIns.issueCode(confirmation.vouched, purpose.challenge, request.ip)
    return reply.redirect(toCommand(purpose, { code }), 303)
  })
}

export const cliLoginApi = (desk: Desk) => (app: FastifyInstance) => {
  app.post('/api/v1/cli/token', { config: strangers, schema: { body: Redeem } }, async (request, reply) => {
    const { code, verifier } = request.body as { code: string; verifier: string }
    const vouched = redeem(desk, code, verifier, request.ip)
    return reply.header('cache-control', 'no-store').send(await beginCliLogin(desk, vouched, request.ip))
  })
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
export async function beginCliLogin(desk: Desk, vouched: Vouched, address: string) {
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
