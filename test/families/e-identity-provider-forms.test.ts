import { once } from 'node:events'
import t from 'tap'
import { WebSocket } from 'ws'
import { toWebIdentityError } from '../../src/aws/aws-errors.ts'
import type { IdentityService } from '../../src/identity/identity.ts'
import { startListeningApp } from '../src/http/listening-app.ts'
import { startLoginServer } from '../src/http/login-setup.ts'
import { startFakeProvider } from '../src/identity/fake-provider.ts'
import { vouched } from '../src/identity/identity-setup.ts'

t.test('E6: the scheme of Authorization has no case, and nothing else passes for it', async (t) => {
  const { url, logins } = await startLoginServer(t, await startFakeProvider(t))
  const { secret } = await logins.begin(vouched('alice'), 'cli', { address: '192.0.2.7' })
  const status = async (authorization: string) =>
    (await fetch(`${url}/api/v1/whoami`, { headers: { authorization } })).status
  for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR']) t.equal(await status(`${scheme} ${secret}`), 200)
  t.equal(await status(`bearer   ${secret}`), 200, 'RFC 9110: one or more spaces')
  for (const wrong of [secret, `Bearer${secret}`, `Basic ${secret}`, `bearer ${secret} x`, `x bearer ${secret}`])
    t.equal(await status(wrong), 401, wrong.replace(secret, '…'))
})

t.test('E6: nor has it for API tokens, websockets, or beside a cookie', async (t) => {
  const shown: unknown[] = []
  const authenticate = async (what: object) => {
    shown.push(what)
    return null
  }
  const { port } = await startListeningApp(t, {
    identity: { authenticate } as unknown as IdentityService,
    routes: [
      async (part) => {
        part.get('/plain', { config: { access: 'public' } }, async () => 'here')
        part.get('/api/v1/connect/:part', { config: { access: 'public' }, websocket: true }, (socket) => socket.close())
      },
    ],
  })
  const at = `127.0.0.1:${port}`
  for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
    const headers = { authorization: `${scheme} spa_token`, cookie: 'sallyport=web' }
    t.equal((await fetch(`http://${at}/plain`, { headers })).status, 200)
    await once(new WebSocket(`ws://${at}/api/v1/connect/x`, { headers }), 'close')
    t.match(shown.splice(0), Array(2).fill({ bearer: 'spa_token', cookie: undefined }), scheme)
  }
  await once(new WebSocket(`ws://${at}/api/v1/connect/x`, { headers: { authorization: 'basic spa_token' } }), 'close')
  t.same(shown, [], 'another scheme shows nothing')
})

t.test('E6: an ID token that STS cannot take is named as the reason, and not shown', async (t) => {
  const token = 'eyJ'.repeat(9000)
  const fault = (message: string) => Object.assign(new Error(message), { name: 'ValidationError' })
  const tooLong = `1 validation error detected: Value '${token}' at 'webIdentityToken' failed to satisfy constraint: Member must have length less than or equal to 20000`
  const error = toWebIdentityError(fault(tooLong), 'arn:aws:iam::111122223333:role/x')
  t.match(error, { code: 'AWS_DENIED', message: /ID token.*20000/, hint: /20,000 characters/ })
  t.notMatch(`${error.message} ${error.hint}`, /eyJ/)
  t.notMatch(error.hint, /tags/)
  const tooShort =
    "Value at 'webIdentityToken' failed to satisfy constraint: Member must have length greater than or equal to 4"
  t.match(toWebIdentityError(fault(tooShort), 'arn').message, /form of the ID token/)
  t.match(
    toWebIdentityError(fault("Value at 'policy' failed"), 'arn').hint,
    /session policy/,
    'other members as before',
  )
})
