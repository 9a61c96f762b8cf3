import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { BrokerError } from '../../../proxy/session.ts'
import { route } from '../../identity/route.ts'
import type { Confirmation } from '../../identity/sign-in/cli-sign-ins.ts'
import { deviceLifeMs } from '../../identity/sign-in/device-codes.ts'
import { sendPage } from '../pages/html.ts'
import { confirmDevice, deviceDone, deviceForm } from '../pages/sign-in-pages.ts'
import { type Desk, demandOwnOrigin, signInAtProvider, strangers } from './login-browser.ts'
import { beginCliLogin, confirmationOf, spend } from './login-cli.ts'

/** Begins and ends `sallyport login --device`, after RFC 8628. */
export const deviceLoginApi = (desk: Desk) => (app: FastifyInstance) => {
  route(
    app,
    'POST /api/v1/device',
    ({ request, reply }) => {
      const { deviceCode, request: waiting } = desk.cliSignIns.devices.begin(request.ip)
      reply.header('cache-control', 'no-store')
      return {
        device_code: deviceCode,
        user_code: waiting.userCode,
        verification_uri: `${desk.origin}/device`,
        expires_in: deviceLifeMs / 1000,
        interval: desk.intervalMs / 1000,
      }
    },
    { rateLimit: { max: 30, timeWindow: '1 minute' } },
  )
  route(app, 'POST /api/v1/device/token', async ({ body, request, reply }) => {
    const poll = desk.cliSignIns.devices.poll(body.device_code)
    if (poll.is === 'unknown')
      throw new BrokerError('LOGIN_FAILED', 'the code is unknown, used, or older than 5 minutes')
    if (poll.is === 'denied') throw new BrokerError('LOGIN_FAILED', 'it was denied in the browser')
    reply.header('cache-control', 'no-store')
    if (poll.is !== 'approved') return { status: 202, body: { status: poll.is } }
    return { status: 200, body: { status: 'approved', ...(await beginCliLogin(desk, poll.vouched, request.ip)) } }
  })
}

/** Where a person who signed in types the code, sees whence it was asked, and decides. */
export const deviceLoginPages = (desk: Desk) => (app: FastifyInstance) => {
  route(
    app,
    'GET /device',
    async ({ query: { max_age: maxAgeS = null }, request, reply }) => {
      const confirmation = confirmationOf(desk, request)
      return confirmation?.purpose.for === 'device' && maxAgeS === null
        ? sendPage(reply, 'Sign in a command', deviceForm(confirmation))
        : signInAtProvider(desk, reply, { for: 'device' }, { maxAgeS, acr: null })
    },
    strangers,
  )
  route(
    app,
    'POST /device',
    async ({ body: { form, user_code: typed }, request, reply }) => {
      const confirmation = forDevice(desk, request, form)
      const found = desk.cliSignIns.devices.find(typed)
      return found
        ? sendPage(reply, 'Sign in a command', confirmDevice(confirmation, found, desk.clock.now()))
        : mistyped(desk, request, reply, confirmation)
    },
    strangers,
  )
  route(
    app,
    'POST /device/decide',
    async ({ body: { form, user_code: code, decision }, request, reply }) => {
      const { vouched } = forDevice(desk, request, form)
      spend(desk, request, reply)
      const approved = decision === 'approve'
      if (!desk.cliSignIns.devices.decide(code, approved ? { is: 'approved', vouched } : { is: 'denied' }))
        throw new BrokerError('LOGIN_FAILED', 'the code has expired, or was used; run: sallyport login --device')
      if (!approved) desk.logins.failed('denied', request.ip)
      return sendPage(reply, approved ? 'Signed in' : 'Denied', deviceDone(approved))
    },
    strangers,
  )
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
