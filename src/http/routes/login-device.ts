import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { BrokerError } from '../../../proxy/session.ts'
import { route } from '../../identity/route.ts'
import { type Confirmation, mostTries } from '../../identity/sign-in/cli-sign-ins.ts'
import { deviceLifeMs } from '../../identity/sign-in/device-codes.ts'
import { sendPage } from '../pages/html.ts'
import { confirmDevice, deviceDone, deviceForm } from '../pages/sign-in-pages.ts'
import { demandOwnOrigin, publicLimits, type SignInContext, signInAtProvider } from './login-browser.ts'
import { beginCliLogin, confirmationOf, secretOf, spend } from './login-cli.ts'

/** Begins and ends `sallyport login --device`, after RFC 8628. */
export const deviceLoginApi = (context: SignInContext) => (app: FastifyInstance) => {
  route(
    app,
    'POST /api/v1/device',
    async ({ request, reply }) => {
      const { deviceCode, request: waiting } = await context.cliSignIns.devices.begin(request.ip)
      reply.header('cache-control', 'no-store')
      return {
        device_code: deviceCode,
        user_code: waiting.userCode,
        verification_uri: `${context.origin}/device`,
        expires_in: deviceLifeMs / 1000,
        interval: context.intervalMs / 1000,
      }
    },
    { rateLimit: { max: 30, timeWindow: '1 minute' } },
  )
  route(app, 'POST /api/v1/device/token', async ({ body, request, reply }) => {
    const poll = await context.cliSignIns.devices.poll(body.device_code)
    if (poll.is === 'unknown')
      throw new BrokerError('LOGIN_FAILED', 'the code is unknown, was already used, or has expired')
    if (poll.is === 'denied') throw new BrokerError('LOGIN_FAILED', 'it was denied in the browser')
    reply.header('cache-control', 'no-store')
    if (poll.is !== 'approved') return { status: 202, body: { status: poll.is } }
    return { status: 200, body: { status: 'approved', ...(await beginCliLogin(context, poll.vouched, request.ip)) } }
  })
}

/** Where a signed-in person enters the code, sees where the request came from, and decides. */
export const deviceLoginPages = (context: SignInContext) => (app: FastifyInstance) => {
  route(
    app,
    'GET /device',
    async ({ query: { max_age: maxAgeS = null }, request, reply }) => {
      const confirmation = await confirmationOf(context, request)
      return confirmation?.purpose.for === 'device' && maxAgeS === null
        ? sendPage(reply, 'Enter the sign-in code', deviceForm(confirmation))
        : signInAtProvider(context, reply, { for: 'device' }, { maxAgeS, acr: null })
    },
    publicLimits,
  )
  route(
    app,
    'POST /device',
    async ({ body: { form, user_code: typed }, request, reply }) => {
      const confirmation = await forDevice(context, request, form)
      // Counted before it is looked up, so that no more are looked up at once, here and at other daemons, than may be tried.
      const tried = await context.cliSignIns.confirmations.addTry(secretOf(context, request), mostTries)
      const found = tried && (await context.cliSignIns.devices.find(typed))
      return found
        ? sendPage(reply, 'Confirm the sign-in', confirmDevice(confirmation, found, context.clock.now()))
        : await mistyped(context, request, reply, { confirmation, left: tried?.left ?? 0 })
    },
    publicLimits,
  )
  route(
    app,
    'POST /device/decide',
    async ({ body: { form, user_code: code, decision }, request, reply }) => {
      await forDevice(context, request, form)
      const { vouched } = await spend(context, request, reply)
      const approved = decision === 'approve'
      if (!(await context.cliSignIns.devices.decide(code, approved ? { is: 'approved', vouched } : { is: 'denied' })))
        throw new BrokerError('LOGIN_FAILED', 'the code has expired or was already used; run: sallyport login --device')
      if (!approved) context.logins.failed('denied', request.ip)
      return sendPage(reply, approved ? 'Signed in' : 'Denied', deviceDone(approved))
    },
    publicLimits,
  )
}

async function forDevice(context: SignInContext, request: FastifyRequest, formId: string): Promise<Confirmation> {
  demandOwnOrigin(context, request)
  const confirmation = await confirmationOf(context, request, formId)
  if (confirmation?.purpose.for !== 'device')
    throw new BrokerError('LOGIN_FAILED', 'no sign-in is waiting for confirmation in this browser', {
      hint: 'open /device again',
    })
  return confirmation
}

/** A few attempts per sign-in, so that codes can't be guessed. */
async function mistyped(
  context: SignInContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { confirmation, left }: { confirmation: Confirmation; left: number },
): Promise<FastifyReply> {
  context.logins.failed('bad-code', request.ip)
  if (left > 0) {
    const problem = 'No command is waiting with this code. It may have expired.'
    return sendPage(reply, 'Enter the sign-in code', deviceForm(confirmation, problem), { status: 400 })
  }
  await spend(context, request, reply)
  throw new BrokerError('RATE_LIMITED', 'too many wrong codes; open /device again')
}
