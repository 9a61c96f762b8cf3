/** What kubectl runs for a token, as a program of its own. */
import t from 'tap'
import { startFakeBroker } from '../../proxy/local/fake-broker.ts'
import { openTerminal } from './run-cli.ts'

t.setTimeout(120_000)

t.test(
  'K-9: without a sign-in it asks nothing: standard error says what to do, and kubectl gets nothing',
  async (t) => {
    const broker = await startFakeBroker(t)
    const terminal = openTerminal(t, null, { SALLYPORT_SERVER: broker.url })
    const { code, stdout, stderr } = await terminal.run('kube-credential', 'web')
    t.not(code, 0)
    t.equal(stdout, '')
    t.match(stderr, /sallyport login/)
  },
)

t.test('K-9: nor when the broker no longer knows the sign-in', async (t) => {
  const broker = await startFakeBroker(t)
  broker.routes.set('POST /api/v1/connect-tokens', () => ({
    status: 401,
    body: {
      type: 'about:blank',
      title: 'sign in',
      status: 401,
      code: 'LOGIN_REQUIRED',
      detail: 'your sign-in has expired',
    },
  }))
  const terminal = openTerminal(t, null, { SALLYPORT_SERVER: broker.url, SALLYPORT_TOKEN: 'spa_bearer-of-alice' })
  const { code, stdout, stderr } = await terminal.run('kube-credential', 'web')
  t.not(code, 0)
  t.equal(stdout, '')
  t.match(stderr, /sign-in has expired|sallyport login/)
})

t.test('K-8: what kubectl is told of its end is when the broker ends it', async (t) => {
  const broker = await startFakeBroker(t)
  const expiresAt = Date.now() + 180_000
  broker.routes.set('POST /api/v1/connect-tokens', () => ({
    status: 201,
    body: { token: 'spt_of-alice', expiresAt, grantId: 'grt_1' },
  }))
  const terminal = openTerminal(t, null, { SALLYPORT_SERVER: broker.url, SALLYPORT_TOKEN: 'spa_bearer-of-alice' })
  const { code, stdout, stderr } = await terminal.run('kube-credential', 'web')
  t.equal(code, 0, stderr)
  t.same(JSON.parse(stdout), {
    apiVersion: 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    status: { token: 'spt_of-alice', expirationTimestamp: new Date(expiresAt).toISOString() },
  })
})
