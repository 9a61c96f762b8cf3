/** What ends a running session, seen by the client that had it; and what lets it run on. */
import t from 'tap'
import { skipWithout } from '../sandbox/programs.ts'
import { quietFor, waitFor } from '../wait-until.ts'
import { startCompany } from './company.ts'
import { type DatabaseClient, openDatabase } from './database-client.ts'

// The identity provider is asked at every sweep, so that a test need not wait for a quarter of an hour.
const company = await startCompany({ overrides: { oidc: { probe_every: '1s' } } })
t.teardown(() => company.close())

type Tap = Pick<typeof t, 'equal' | 'match' | 'ok'>

async function isCut(t: Tap, { lost, sessionId }: DatabaseClient, text: RegExp, reason: string): Promise<void> {
  const { code, message } = await lost
  t.equal(code, '57P01')
  t.match(message, text, 'the client is told why')
  const ended = await untilEnded(sessionId)
  t.match(ended, { type: 'session.ended', fields: { session: sessionId, reason } }, 'and so is the log')
}

/** The farewell comes first, the books are closed right after. */
async function untilEnded(sessionId: string): Promise<unknown> {
  const path = `/api/v1/audit/events?type=session.ended&subject=${sessionId}`
  const end = async () => (await company.api<{ events: unknown[] }>('carol', 'GET', path)).events[0]
  return await waitFor(end, `the log has the end of ${sessionId}`, 5000, 20)
}

await t.test('an owner of the database revokes the grant', async (t) => {
  const { id } = await company.grant()
  const session = await openDatabase(company)
  await company.api('bob', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'incident 42' })
  await isCut(t, session, /incident 42/, 'grant-revoked')
})

await t.test('its holder gives the grant back', async (t) => {
  const { id } = await company.grant()
  const session = await openDatabase(company)
  await company.api('alice', 'POST', `/api/v1/grants/${id}/return`, {})
  await isCut(t, session, /returned/, 'grant-returned')
})

await t.test('the grant runs out; extended in time, the session runs on', async (t) => {
  const { id } = await company.grant(6_000)
  const [short, long] = [await openDatabase(company), await openDatabase(company)]
  const listed = await company.api<{ grants: { id: string; endsAt: number }[] }>('alice', 'GET', '/api/v1/grants')
  const endsAt = listed.grants.find((one) => one.id === id)?.endsAt ?? 0
  await short.client.end()
  const asked = await company.api<{ request: { id: string; digest: string } }>(
    'alice',
    'POST',
    `/api/v1/grants/${id}/extend`,
    { durationMs: 4_000, reason: 'still at it' },
  )
  await company.api('bob', 'POST', `/api/v1/requests/${asked.request.id}/approve`, { digest: asked.request.digest })
  await quietFor(endsAt + 500 - Date.now(), 'the first end passes, and nothing is cut')
  t.equal((await long.client.query('select 1')).rowCount, 1, 'after the first end')
  await isCut(t, long, /expired/, 'grant-expired')
})

await t.test('an administrator kills one session of two', async (t) => {
  await company.grant()
  const [one, other] = [await openDatabase(company), await openDatabase(company)]
  await company.api('dave', 'POST', `/api/v1/sessions/${one.sessionId}/kill`, { reason: 'runaway query' })
  await isCut(t, one, /runaway query/, 'killed')
  t.equal((await other.client.query('select 1')).rowCount, 1, 'the other runs on')
  await other.client.end()
})

await t.test('an administrator locks the person', async (t) => {
  await company.grant()
  const session = await openDatabase(company)
  const { principals } = await company.api<{ principals: { id: string; email: string }[] }>(
    'dave',
    'GET',
    '/api/v1/principals',
  )
  const alice = principals.find(({ email }) => email.startsWith('alice'))?.id ?? ''
  await company.api('dave', 'POST', `/api/v1/principals/${alice}/lock`, { reason: 'laptop stolen' })
  await isCut(t, session, /lock/, 'principal-locked')
  await company.api('dave', 'POST', `/api/v1/principals/${alice}/unlock`, {})
  await company.signIn()
})

await t.test('the connect token is taken back', async (t) => {
  await company.grant()
  const session = await openDatabase(company)
  await company.api('alice', 'DELETE', `/api/v1/connect-tokens/${session.tokenId}`)
  await isCut(t, session, /token/, 'token-revoked')
})

const logout = 'the person logs out: what the login opened ends, what a connect token opened does not'
await t.test(logout, { skip: skipWithout('psql') }, async (t) => {
  await company.grant()
  const byToken = await openDatabase(company)
  const psql = company.commands.alice.start([
    'psql',
    'orders',
    '--',
    '-v',
    'VERBOSITY=verbose',
    '-c',
    "select 'begun'",
    '-c',
    'select pg_sleep(600)',
  ])
  await psql.prints(/begun/)
  const { code } = await company.commands.alice.run(['logout'])
  t.equal(code, 0)
  const { stderr } = await psql.ended
  t.match(stderr, /57P01/)
  t.match(stderr, /sign-in ended/)
  t.equal((await byToken.client.query('select 1')).rowCount, 1)
  await byToken.client.end()
  await company.signIn()
})

await t.test('the identity provider says that they left', async (t) => {
  await company.grant()
  const session = await openDatabase(company)
  company.sandbox.oidc.knobs.disable('alice')
  t.teardown(() => company.sandbox.oidc.knobs.enable('alice'))
  await isCut(t, session, /identity provider|account|directory|sign/, 'principal-inactive')
})
