/** Two daemons on one store: what is decided at one holds at the other at once. */
import t from 'tap'
import { startCommand } from '../sandbox/commands.ts'
import { createPerson } from '../sandbox/person.ts'
import { skipWithout } from '../sandbox/programs.ts'
import { waitFor, waitUntil } from '../wait-until.ts'
import { cancel } from './cancel.ts'
import type { Door } from './company.ts'
import { type DatabaseClient, issueToken, openDatabase } from './database-client.ts'
import { type DaemonName, startTwoDaemons } from './two-daemons.ts'

t.setTimeout(300_000)
// What the balancer has just sent to a daemon is let in still.
const two = await startTwoDaemons({ overrides: { server: { drain_delay: '2s' } } })
t.teardown(() => two.close())
const { a, b, balancer } = two.at
const doors: readonly Door[] = [a, b]

interface Event {
  readonly type: string
  readonly at: number
  readonly fields: Readonly<Record<string, unknown>>
}

async function endOf(sessionId: string): Promise<Event> {
  const path = `/api/v1/audit/events?type=session.ended&subject=${sessionId}`
  const look = async () => (await a.api<{ events: Event[] }>('carol', 'GET', path)).events[0]
  return await waitFor(look, `the end of ${sessionId} is in the log`, 10_000, 50)
}

/** Milliseconds from the decision, which its event has, to the last byte that the session carried. */
async function cutAfter({ lost, sessionId }: DatabaseClient, decidedBy: string): Promise<{ ms: number; event: Event }> {
  await lost
  const event = await endOf(sessionId)
  const [decided] = (await a.api<{ events: Event[] }>('carol', 'GET', `/api/v1/audit/events?type=${decidedBy}`)).events
  return { ms: Number(event.fields.stopped_at) - (decided?.at ?? 0), event }
}

await t.test('a sign-in through the balancer is good at each daemon', async (t) => {
  for (const door of [a, b, balancer]) t.equal((await door.call('alice', 'GET', '/api/v1/whoami')).status, 200)
  for (const door of doors) {
    const ran = await door.commands.bob.run(['whoami'])
    t.equal(ran.code, 0, ran.stderr)
    t.match(ran.stdout, /bob/)
  }
})

await t.test('a sign-in that begins at one daemon ends at the other', async (t) => {
  two.balancer.to('b')
  two.balancer.drop()
  const url = `http://127.0.0.1:${two.balancer.ports[0]}`
  const isThere = () =>
    fetch(url).then(
      () => true,
      () => false,
    )
  await waitUntil(isThere, 'connections to the balancer are new ones')
  const person = createPerson('alice')
  await person.signIn(`${two.daemons.a.url}/login`) // and the provider sends it to the balancer
  t.equal((await person.fetch(`${url}/api/v1/whoami`)).status, 200)
  two.balancer.to('a', 'b')
})

await t.test('what ends a grant or a session at one daemon cuts it at the other, within a second', async (t) => {
  const { id } = await a.grant()
  const revoked = await openDatabase(a)
  await b.api('bob', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'incident 42' })
  const first = await cutAfter(revoked, 'grant.revoked')
  t.equal(first.event.fields.reason, 'grant-revoked')
  t.ok(first.ms <= 1000, `revoked: ${first.ms} ms`)
  t.match((await revoked.lost).message, /incident 42/)

  await b.grant()
  const killed = await openDatabase(a)
  await b.api('dave', 'POST', `/api/v1/sessions/${killed.sessionId}/kill`, { reason: 'enough' })
  const second = await cutAfter(killed, 'session.killed')
  t.equal(second.event.fields.reason, 'killed')
  t.ok(second.ms <= 1000, `killed: ${second.ms} ms`)

  const locked = await openDatabase(b)
  const alice = 'alice@example.com'
  await a.api('dave', 'POST', `/api/v1/principals/${alice}/lock`, { reason: 'lost laptop' })
  const third = await cutAfter(locked, 'principal.locked')
  t.ok(third.ms <= 1000, `locked: ${third.ms} ms`)
  for (const door of doors) t.notOk((await door.call('alice', 'GET', '/api/v1/whoami')).ok, 'she is out')
  await b.api('dave', 'POST', `/api/v1/principals/${alice}/unlock`, {})
  await balancer.signIn(['alice'])
  // The other daemon may not have heard of the unlocking yet.
  for (const door of doors) await waitUntil(async () => (await door.call('alice', 'GET', '/api/v1/whoami')).ok)
})

await t.test('of an approval and a denial at once, one wins and the other is told', async (t) => {
  const asked = await a.api<{ request: { id: string; digest: string } }>('alice', 'POST', '/api/v1/requests', {
    resource: 'orders',
    level: 'readonly',
    durationMs: 3_600_000,
    reason: 'both at once',
  })
  const { id, digest } = asked.request
  const answers = await Promise.all([
    a.call('bob', 'POST', `/api/v1/requests/${id}/approve`, { digest }),
    b.call('bob', 'POST', `/api/v1/requests/${id}/deny`, { digest }),
  ])
  t.equal(answers.filter(({ ok }) => ok).length, 1, answers.map(({ status }) => status).join(' '))
})

await t.test('a statement is cancelled through the other daemon', async (t) => {
  await a.grant()
  const { client, sessionId } = await openDatabase(a)
  const outcome = client.query('select pg_sleep(60)').then(
    () => 'done',
    (error: { code?: string }) => error.code,
  )
  const port = two.daemons.b.postgresPort
  let isOver = false
  void outcome.then(() => {
    isOver = true
  })
  await waitUntil(
    async () => {
      if (!isOver) await cancel(client, port, two.sandbox.authority.cert)
      return isOver
    },
    'the statement is cancelled',
    20_000,
    200,
  )
  t.equal(await outcome, '57014')
  await client.end()
  t.equal((await endOf(sessionId)).fields.reason, 'client-closed')
})

let recorded = ''

await t.test('lists, log and recordings are whole at either', async (t) => {
  const sessions = [await openDatabase(a), await openDatabase(b)]
  for (const { client } of sessions) await client.query('select 42 as answer')
  const ids = sessions.map(({ sessionId }) => sessionId)
  for (const door of doors) {
    const listed = await door.commands.carol.json<{ id: string }[] | { sessions: { id: string }[] }>(['sessions'])
    const text = JSON.stringify(listed)
    for (const id of ids) t.ok(text.includes(id), `${id} is listed`)
  }
  for (const { client } of sessions) await client.end()
  for (const id of ids) await endOf(id)
  recorded = ids[0] ?? ''
  for (const door of doors)
    for (const id of ids) {
      const played = await door.commands.carol.run(['recordings', 'play', id])
      t.equal(played.code, 0, played.stderr)
      t.match(played.stdout, /recording verified/)
      t.match(played.stdout, /select 42 as answer/)
    }
  for (const door of doors) {
    const { stdout, stderr } = await door.commands.carol.run(['recordings', 'search', '42 AS answer'])
    for (const id of ids) t.ok(stdout.includes(id), `${id} is searched, whichever daemon keeps it: ${stderr}`)
  }
  for (const door of doors) {
    const report = await door.api<{ ok: boolean; summary: string; notes: string[]; problems: unknown[] }>(
      'carol',
      'GET',
      '/api/v1/audit/verify',
    )
    t.same(report.problems, [], report.summary)
    t.notMatch(report.notes.join(), /not checked/)
  }
})

await t.test('a recording whose daemon is gone is not called damaged', async (t) => {
  two.balancer.to('b')
  await two.daemons.a.stop()
  const report = await b.api<{ problems: unknown[]; notes: string[] }>('carol', 'GET', '/api/v1/audit/verify')
  t.same(report.problems, [])
  t.match(report.notes.join(), /not checked.*kept at/)
  const played = await b.commands.carol.run(['recordings', 'play', recorded])
  t.not(played.code, 0)
  t.match(played.stderr, /kept at/)
  const searched = await b.commands.carol.run(['recordings', 'search', '42 as answer'])
  t.match(
    searched,
    { code: 0, stdout: /select 42 as answer/, stderr: /could not be read:\n.*kept at/ },
    'of what is there',
  )
  await two.start('a')
  const isBack = async () => (await b.commands.carol.run(['recordings', 'play', recorded])).code === 0
  await waitUntil(isBack, 'b has seen its heartbeat and reads the recording from it', 10_000, 200)
})

await t.test('both are restarted in turn, and no client sees an error', { skip: skipWithout('pgbench') }, async (t) => {
  const { token, user } = await issueToken(b)
  const env = { ...process.env, PGPASSWORD: token, PGSSLMODE: 'require' }
  const where = ['-h', '127.0.0.1', '-p', String(two.postgresPort), '-U', user]
  const script = ['-n', '-C', '-c', '2', '-T', '600', '-P', '1', '-f', '-']
  const load = startCommand('pgbench', [...where, ...script, 'orders'], env, 'select count(*) from orders;\n')
  const works = async () => {
    const before = load.output.length
    await waitUntil(
      () => /progress: [^\n]* [1-9][0-9.]* tps/.test(load.output.slice(before)),
      () => load.output,
      20_000,
      100,
    )
  }
  await works()
  for (const [stops, stays] of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const satisfies [DaemonName, DaemonName][]) {
    two.balancer.to(stays)
    t.equal(await two.daemons[stops].stop(), 0)
    await works()
    await two.start(stops)
    two.balancer.to('a', 'b')
    await works()
  }
  load.child.kill('SIGINT')
  const { stderr } = await load.ended
  t.notMatch(stderr, /error|abort|fatal/i)
  const report = await a.api<{ problems: unknown[] }>('carol', 'GET', '/api/v1/audit/verify')
  t.same(report.problems, [])
})
