/** Of two daemons one is stopped, or killed: the other leads, closes its sessions once, and the one that wakes begins anew. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import pg from 'pg'
import t from 'tap'
import { openKeyring } from '../../src/store/keyring.ts'
import { startDaemon } from '../sandbox/daemon.ts'
import { quietFor, waitUntil } from '../wait-until.ts'
import { clientFor, issueToken, openDatabase, refusal } from './database-client.ts'
import { eventsOf, openSessions } from './store-ways.ts'
import { startTwoDaemons } from './two-daemons.ts'

t.setTimeout(300_000)
if (process.env.CI === 'true' && process.env.SALLYPORT_OUTAGE_SECONDS === undefined) {
  t.comment('of CI it runs in .ci/long')
  process.exit(0)
}

interface Session {
  readonly id: string
  readonly endReason: string | null
}

const two = await startTwoDaemons({ overrides: { store: { grace: '2s' } } })
t.teardown(() => two.close())
const { a, b } = two.at
/** How long a leader is stopped at least: until it is given up by default. */
const stoppedMs = Number(process.env.SALLYPORT_OUTAGE_SECONDS ?? 0) * 1000
await a.grant()

const endOf = async (id: string) =>
  (await b.api<{ sessions: Session[] }>('carol', 'GET', '/api/v1/sessions')).sessions.find((one) => one.id === id)
    ?.endReason
const endsOf = async (id: string) =>
  (
    await b.api<{ events: { fields: { reason: string; digest: string | null } }[] }>(
      'carol',
      'GET',
      `/api/v1/audit/events?type=session.ended&subject=${id}`,
    )
  ).events.map(({ fields: { reason, digest } }) => [reason, digest])
const metric = async (name: 'a' | 'b', text: string) =>
  (await (await fetch(`${two.daemons[name].metricsUrl}/metrics`)).text()).split('\n').includes(text)

await t.test(
  'a leader that is stopped past its lease: another leads; when it wakes, it does nothing and begins anew',
  async (t) => {
    t.ok(await metric('a', 'sallyport_is_leader 1'))
    const session = await openDatabase(a)
    const other = await openDatabase(b)
    const { id: short } = await a.grant(15_000, 'ReportsReader')
    two.daemons.a.signal('SIGSTOP')
    const since = performance.now()
    await waitUntil(() => metric('b', 'sallyport_is_leader 1'), 'b leads', 30_000)
    await waitUntil(
      async () => (await endOf(session.sessionId)) === 'daemon-lost',
      'its session is closed',
      60_000,
      500,
    )
    t.equal(await endOf(other.sessionId), null)
    await waitUntil(async () => (await eventsOf(b, 'grant.expired', short)).length === 1, 'b expires', 30_000, 200)
    await quietFor(Math.max(stoppedMs - (performance.now() - since), 0), 'it is stopped for so long')
    two.daemons.a.signal('SIGCONT')
    // By b, which ended its work at the target, or by a as soon as it woke.
    t.match(await session.lost, { code: '57P01' })
    await waitUntil(async () => two.daemons.a.log().split('"ready"').length === 3, 'a begins anew', 30_000)
    t.notOk(await metric('a', 'sallyport_is_leader 1'))
    t.same(await endsOf(session.sessionId), [['daemon-lost', null]], 'it ends once')
    t.equal((await eventsOf(b, 'grant.expired', short)).length, 1, 'nor is what expired written twice')
    const again = await openDatabase(a)
    t.equal((await again.client.query('select 1')).rowCount, 1)
    await again.client.end()
    t.equal((await other.client.query('select 1')).rowCount, 1, 'what ran at b runs on')
    await other.client.end()
  },
)

await t.test(
  'a daemon that is killed in the middle of an append: its sessions are closed, and what it leaves is no sign of tampering',
  async (t) => {
    const session = await openDatabase(a)
    const token = await issueToken(a)
    const holder = new pg.Client({ connectionString: two.daemons.a.storeUrl })
    await holder.connect()
    await holder.query('begin')
    await holder.query('lock table sessions in share mode') // so that its transaction waits for the row beside the event
    const opening = refusal(clientFor(a, token))
    const waiting = "select 1 from pg_locks where not granted and relation = 'sessions'::regclass"
    await waitUntil(async () => (await holder.query(waiting)).rowCount !== 0, 'it appends', 10_000, 20)
    two.daemons.a.signal('SIGKILL')
    await two.daemons.a.exited
    await holder.query('rollback')
    await holder.end()
    t.not((await opening).message, 'it opened')
    await waitUntil(
      async () => (await endOf(session.sessionId)) === 'daemon-lost',
      'its session is closed',
      60_000,
      500,
    )
    t.ok(await metric('b', 'sallyport_daemons{state="live"} 1'))
    await waitUntil(async () => (await openSessions(b)).length === 0, 'none is open in the books', 10_000, 200)
    const report = await b.api<{ problems: { where: string }[] }>('carol', 'GET', '/api/v1/audit/verify')
    t.same(
      report.problems.filter(({ where }) => where !== 'recording'), // each keeps its own
      [],
    )
    await two.start('a')
    await waitUntil(() => metric('b', 'sallyport_daemons{state="live"} 2'), 'a is back')
    t.same(await endsOf(session.sessionId), [['daemon-lost', null]])
    const { events } = await a.api<{ events: { fields: object }[] }>(
      'carol',
      'GET',
      `/api/v1/audit/events?type=recording.sealed&subject=${session.sessionId}`,
    )
    t.equal(events.length, 1, 'it seals what the other could not')
    t.match(events, [{ fields: { digest: /^[0-9a-f]{64}$/ } }])
    const { problems } = await a.api<{ problems: { at: string }[] }>('carol', 'GET', '/api/v1/audit/verify')
    t.notOk(problems.some(({ at }) => at === session.sessionId))
  },
)

await t.test('rules that differ: each says so, and lets people in all the same', async (t) => {
  const { configFile } = two.daemons.b
  const before = readFileSync(configFile, 'utf8')
  const isSaid = async (name: 'a' | 'b', count: number) => {
    const answer = await fetch(`${two.daemons[name].url}/readyz`)
    const { warnings } = (await answer.json()) as { warnings: string[] }
    const isWarned = warnings.some((one) => one.startsWith('the rules in force here are not those of dmn_'))
    return (
      answer.ok && isWarned === count > 0 && (await metric(name, `sallyport_daemons{state="rules-differ"} ${count}`))
    )
  }
  for (const [text, count] of [
    [before.replace('max_duration: 4h', 'max_duration: 3h'), 1],
    [before, 0],
  ] as const) {
    writeFileSync(configFile, text)
    two.daemons.b.signal('SIGHUP')
    for (const name of ['a', 'b'] as const) {
      await waitUntil(() => isSaid(name, count), `${name}: ${count}`, 20_000, 100)
      t.ok(await isSaid(name, count))
    }
  }
})

await t.test('other keys: it does not start, says which, and the others go on', async (t) => {
  const dir = mkdtempSync(path.join(two.sandbox.dir, 'other-keys-'))
  const files = await two.sandbox.writeConfig(dir, { store: { url: two.daemons.a.storeUrl } })
  openKeyring(files.keysDir)
  await t.rejects(startDaemon(two.sandbox, { files }), { message: /keys\.dir: signing\.pem is .*Restore keys\.dir/s })
  t.ok(await metric('b', 'sallyport_daemons{state="live"} 2'))
  t.ok((await fetch(`${two.daemons.b.url}/readyz`)).ok)
})
