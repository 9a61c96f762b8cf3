import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { BrokerError } from '../../../proxy/session.ts'
import type { Confirmation } from '../../identity/sign-in/cli-sign-ins.ts'
import { deviceLifeMs } from '../../identity/sign-in/device-codes.ts'
import { sendPage } from '../pages/html.ts'
import { confirmDevice, deviceDone, deviceForm } from '../pages/sign-in-pages.ts'
import { type Desk, demandOwnOrigin, signInAtProvider, strangers } from './login-browser.ts'
import { beginCliLogin, confirmationOf, spend } from './login-cli.ts'

const Open = Type.Object(
  { max_age: Type.Optional(Type.Integer({ minimum: 0, maximum: 86_400 })) },
  { additionalProperties: false },
)
const Typed = Type.Object({ form: Type.String({ maxLength: 64 }), user_code: Type.String({ maxLength: 64 }) })
const Decision = Type.Object({
  form: Type.String({ maxLength: 64 }),
  user_code: Type.String({ maxLength: 64 }),
  decision: Type.Union([Type.Literal('approve'), Type.Literal('deny')]),
})
const Poll = Type.Object(
  { device_code: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' }) },
  { additionalProperties: false },
)

/** Begins and ends `sallyport login --device`, after RFC 8628. */
export const deviceLoginApi = (desk: Desk) => (app: FastifyInstance) => {
  const begin = { access: 'public', rateLimit: { max: 30, timeWindow: '1 minute' } } as const
  app.post('/api/v1/device', { config: begin }, async (request, reply) => {
    const { deviceCode, request: waiting } = desk.cliSignIns.devices.begin(request.ip)
    return reply.header('cache-control', 'no-store').send({
      device_code: deviceCode,
      user_code: waiting.userCode,
      verification_uri: `${desk.origin}/device`,
      expires_in: deviceLifeMs / 1000,
      interval: desk.intervalMs / 1000,
    })
  })
  app.post('/api/v1/device/token', { config: { access: 'public' }, schema: { body: Poll } }, async (request, reply) => {
    const { device_code: code } = request.body as { device_code: string }
    const poll = desk.cliSignIns.devices.poll(code)
    if (poll.is === 'unknown')
      throw new BrokerError('LOGIN_FAILED', 'the code is unknown, used, or older than 5 minutes')
    if (poll.is === 'denied') throw new BrokerError('LOGIN_FAILED', 'it was denied in the browser')
    reply.header('cache-control', 'no-store')
    if (poll.is !== 'approved') return reply.code(202).send({ status: poll.is })
    return reply.send({ status: 'approved', ...(await beginCliLogin(desk, poll.vouched, request.ip)) })
  })
}

/** Where a person who signed in types the code, sees whence it was asked, and decides. */
export const deviceLoginPages = (desk: Desk) => (app: FastifyInstance) => {
  app.get('/device', { config: strangers, schema: { querystring: Open, hide: true } }, async (request, reply) => {
    const { max_age: maxAgeS = null } = request.query as { max_age?: number }
    const confirmation = confirmationOf(desk, request)
    return confirmation?.purpose.for === 'device' && maxAgeS === null
      ? sendPage(reply, 'Sign in a command', deviceForm(confirmation))
      : signInAtProvider(desk, reply, { for: 'device' }, { maxAgeS, acr: null })
  })
  app.post('/device', { config: strangers, schema: { body: Typed, hide: true } }, async (request, reply) => {
    const { form, user_code: typed } = request.body as { form: string; user_code: string }
    const confirmation = forDevice(desk, request, form)
    const found = desk.cliSignIns.devices.find(typed)
    return found
      ? sendPage(reply, 'Sign in a command', confirmDevice(confirmation, found, desk.clock.now()))
      : mistyped(desk, request, reply, confirmation)
  })
  app.post('/device/decide', { config: strangers, schema: { body: Decision, hide: true } }, async (request, reply) => {
    const { form, user_code: code, decision } = request.body as { [name in 'form' | 'user_code' | 'decision']: string }
    const { vouched } = forDevice(desk, request, form)
    spend(desk, request, reply)
    const approved = decision === 'approve'
    if (!desk.cliSignIns.devices.decide(code, approved ? { is: 'approved', vouched } : { is: 'denied' }))
      throw new BrokerError('LOGIN_FAILED', 'the code has expired, or was used; run: sallyport login --device')
    if (!approved) desk.logins.failed('denied', request.ip)
    return sendPage(reply, approved ? 'Signed in' : 'Denied', deviceDone(approved))
  })
}

function forDevice(desk: Desk, request: FastifyRequest, formId: string): Confirmation {
  demandOwnOrigin(desk, request)
  const confirmation = confirmationOf(desk, request, formId)
  if (confirmation?.purpose.for !== 'device')
    throw new BrokerError('LOGIN_FAILED', 'nothing waits to be confirmed here', { hint: 'open /device again' })
  return confirmation
}

/** A few tries per sign-in, so that codes can't be searched. */
function mistyped(desk: Desk, request: FastifyRequest, reply: FastifyReply, confirmation: Confirmation): FastifyReply {
  confirmation.triesLeft -= 1
  desk.logins.failed('bad-code', request.ip)
  if (confirmation.triesLeft > 0) {
    const problem = 'No command waits with this code. It may have expired.'
    return sendPage(reply, 'Sign in a command', deviceForm(confirmation, problem), { status: 400 })
  }
  spend(desk, request, reply)
  throw new BrokerError('RATE_LIMITED', 'too many wrong codes; open /device again')
}
