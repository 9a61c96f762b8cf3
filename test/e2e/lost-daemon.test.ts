/** Of two daemons one is stopped, or killed: the other leads, closes its sessions once, and the one that wakes begins anew. */
import t from 'tap'
import { waitUntil } from '../wait-until.ts'
import { openDatabase } from './database-client.ts'
import { startTwoDaemons } from './two-daemons.ts'

t.setTimeout(300_000)

interface Session {
  readonly id: string
  readonly endReason: string | null
}

const two = await startTwoDaemons({ overrides: { store: { grace: '2s' } } })
t.teardown(() => two.close())
const { a, b } = two.at
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
    two.daemons.a.signal('SIGSTOP')
    await waitUntil(() => metric('b', 'sallyport_is_leader 1'), 'b leads', 30_000)
    await waitUntil(
      async () => (await endOf(session.sessionId)) === 'daemon-lost',
      'its session is closed',
      60_000,
      500,
    )
    t.equal(await endOf(other.sessionId), null)
    two.daemons.a.signal('SIGCONT')
    // By b, which ended its work at the target, or by a as soon as it woke.
    t.match(await session.lost, { code: '57P01' })
    await waitUntil(async () => two.daemons.a.log().split('"ready"').length === 3, 'a begins anew', 30_000)
    t.notOk(await metric('a', 'sallyport_is_leader 1'))
    t.same(await endsOf(session.sessionId), [['daemon-lost', null]], 'it ends once')
    const again = await openDatabase(a)
    t.equal((await again.client.query('select 1')).rowCount, 1)
    await again.client.end()
    t.equal((await other.client.query('select 1')).rowCount, 1, 'what ran at b runs on')
    await other.client.end()
  },
)

await t.test(
  'a daemon that is killed: the one that leads closes its sessions, and what it leaves is no sign of tampering',
  async (t) => {
    const session = await openDatabase(a)
    two.daemons.a.signal('SIGKILL')
    await two.daemons.a.exited
    await waitUntil(
      async () => (await endOf(session.sessionId)) === 'daemon-lost',
      'its session is closed',
      60_000,
      500,
    )
    t.ok(await metric('b', 'sallyport_daemons{state="live"} 1'))
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
