import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http'
import t, { type Test } from 'tap'
import { signInForCommand } from '../../sandbox/command-code.ts'
import { createPerson } from '../../sandbox/person.ts'
import { freePort } from '../../sandbox/ports.ts'
import { startLoginServer, startProvider } from './login-setup.ts'

/** Longer than a few requests take; only the clock of the test passes it. */
const deviceIntervalMs = 20_000

/** Each request goes to the next daemon, as behind a balancer without stickiness. */
async function startBehindBalancer(t: Test) {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const provider = await startProvider(t)
  const a = await startLoginServer(t, provider, { publicUrl: url, deviceIntervalMs })
  const b = await startLoginServer(t, provider, { publicUrl: url, deviceIntervalMs, beside: a })
  const daemons = [a, b]
  const asked: string[] = []
  const pass = (from: IncomingMessage, to: ServerResponse) => {
    const daemon = daemons[asked.length % daemons.length] ?? a
    asked.push(`${from.method} ${from.url?.split('?')[0]}`)
    const { method, headers } = from
    const onward = send(new URL(from.url ?? '', daemon.url), { method, headers }, (answer) => {
      to.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(to)
    })
    onward.on('error', () => to.destroy())
    from.pipe(onward)
  }
  const server = createServer(pass).listen(port, '127.0.0.1')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  /** So that each step is once asked of the one daemon, once of the other. */
  const skip = () => asked.push('skipped')
  return { url, a, b, skip }
}

async function post(url: string, body: object): Promise<{ status: number; answer: Record<string, unknown> }> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
  return { status: response.status, answer: (await response.json()) as Record<string, unknown> }
}

t.test('a sign-in by device code begins, is approved and ends at whichever daemon', async (t) => {
  const { url, a, skip } = await startBehindBalancer(t)
  for (const shift of [false, true]) {
    if (shift) skip()
    const { answer } = await post(`${url}/api/v1/device`, {})
    const ask = () => post(`${url}/api/v1/device/token`, { device_code: answer.device_code })
    t.match(await ask(), { status: 202, answer: { status: 'pending' } })
    t.match(await ask(), { status: 202, answer: { status: 'slow-down' } })
    const page = await createPerson('alice').signIn(`${url}/device`, { user_code: String(answer.user_code) })
    t.match(page.body, /Signed in|signed in/)
    a.clock.advance(deviceIntervalMs)
    const both = await Promise.all([ask(), ask()])
    t.equal(both.filter(({ status }) => status === 200).length, 1, 'told once')
    a.clock.advance(deviceIntervalMs)
    t.match(await ask(), { status: 401 })
  }
  t.equal(a.logins.begun.length, 2)
})

t.test('a sign-in of the command on the same machine ends at another daemon than it began at', async (t) => {
  const { url, a, skip } = await startBehindBalancer(t)
  for (const shift of [false, true]) {
    if (shift) skip()
    const { codes, verifier } = await signInForCommand(url, t.teardown)
    t.equal(codes.length, 1)
    const redeem = () => post(`${url}/api/v1/cli/token`, { code: codes[0], verifier })
    const both = await Promise.all([redeem(), redeem()])
    t.same(both.map(({ status }) => status).sort(), [200, 401], 'the code is spent once')
  }
  t.equal(a.logins.begun.length, 2)
})

t.test('two daemons do not double how often a code may be typed', async (t) => {
  const { url, a } = await startBehindBalancer(t)
  const alice = createPerson('alice')
  let page = await alice.open(`${url}/device`)
  page = await alice.submit(page, { username: 'alice', password: 'sandbox' })
  while (!page.forms.some(({ fields }) => fields.some(({ name }) => name === 'user_code')))
    page = await alice.submit(page)
  const typed = await Promise.all(
    Array.from({ length: 12 }, () => alice.submit(page, { user_code: 'BBBB-BBBB' }).then(({ status }) => status)),
  )
  t.equal(typed.filter((status) => status === 400).length, 4, 'the fifth ends it')
  t.equal(typed.filter((status) => status === 400 || status === 429 || status === 401).length, 12)
  t.equal((await alice.submit(page, { user_code: 'BBBB-BBBB' })).status, 401)
  t.equal((await a.db.selectFrom('one_time_secrets').selectAll().execute()).length, 0)
})

t.test('two daemons do not double the requests that a limit allows where codes can be guessed', async (t) => {
  const { url, a, b } = await startBehindBalancer(t)
  const statuses: number[] = []
  for (let i = 0; i < 34; i++) statuses.push((await fetch(`${url}/api/v1/device`, { method: 'POST' })).status)
  t.same(statuses, [...Array.from({ length: 30 }, () => 200), ...Array.from({ length: 4 }, () => 429)])
  t.same(
    (await a.db.selectFrom('request_counts').selectAll().execute()).map(({ count }) => count),
    [34],
  )
  const each = await Promise.all([a, b].map(({ url }) => fetch(`${url}/login`, { redirect: 'manual' })))
  t.same(
    each.map(({ headers }) => headers.get('x-ratelimit-remaining')),
    ['119', '119'],
    'elsewhere each daemon counts for itself',
  )
})

t.test('without the store nothing can be guessed', async (t) => {
  const { a } = await startBehindBalancer(t)
  await a.db.schema.dropTable('request_counts').execute()
  t.equal((await fetch(`${a.url}/api/v1/device`, { method: 'POST' })).status, 503)
})
