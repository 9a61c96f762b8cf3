/**
 * `kill -9` of one of two daemons on a PostgreSQL store, or of both, in the middle of work: what was acknowledged is in log and
 * rows, what was taken away stays away, what was open is closed, and who lives goes on.
 */
import t, { type Test } from 'tap'
import { skipWithout } from '../sandbox/programs.ts'
import { quietFor, waitUntil } from '../wait-until.ts'
import { checkBooks, checkLog, listAll, revokeTokens, subjects } from './books.ts'
import type { Door } from './company.ts'
import { clientFor, type DatabaseClient, issueToken, openDatabase, openWith, refusal } from './database-client.ts'
import { Journeys } from './journeys.ts'
import { oneOf, random, seed } from './random.ts'
import { type DaemonName, daemonNames, startTwoDaemons } from './two-daemons.ts'

const kills = Number(process.env.SALLYPORT_KILLS ?? 1)
t.setTimeout(120_000 + kills * 60_000)
t.comment(`${kills} rounds, SALLYPORT_SEED=${seed}`)

await t.test('two daemons that are killed', { skip: skipWithout('psql') }, async (t) => {
  const two = await startTwoDaemons({ overrides: { store: { grace: '2s' } } })
  t.teardown(() => two.close())
  const grant = (await two.at.a.grant(8 * 3_600_000)).id
  const journeys = new Journeys(two, grant)
  const brief: string[] = []

  for (let round = 1; round <= kills; round += 1) {
    const victims = victimsOf(round)
    const isGivenUp = round % 10 === 5
    const how = `${victims.join(' and ')} killed${isGivenUp ? ', given up' : ''}`
    await t.test(`round ${round} of ${kills}: ${how}`, async (t) => {
      const survivors = daemonNames.filter((name) => !victims.includes(name))
      brief.push((await two.at[oneOf(daemonNames)].grant(1_500)).id)
      const open = await Promise.all(daemonNames.map(async (name) => [name, await query(name)] as const))
      const before = { steps: journeys.steps, failures: journeys.failures.length }
      const work = journeys.start(daemonNames)
      await waitUntil(() => journeys.steps > before.steps + 30, 'everyone works', 20_000)
      await quietFor(random() * 1000, 'a random moment')
      for (const name of victims) two.daemons[name].signal('SIGKILL')
      await Promise.all(victims.map((name) => two.daemons[name].exited))
      journeys.without(victims)
      const after = journeys.steps
      if (survivors.length > 0) await waitUntil(() => journeys.steps > after + 20, 'who lives goes on', 20_000)
      work.stop()
      await work.ended
      t.same(
        journeys.failures.slice(before.failures).filter(({ at }) => survivors.includes(at)),
        [],
        'who lives refuses nothing',
      )
      for (const [name, { session, isLost }] of open) {
        if (survivors.includes(name)) t.notOk(isLost(), 'sessions of who lives run on')
        await session.client.end().catch(() => {})
      }
      if (isGivenUp && survivors.length > 0)
        await waitUntil(
          async () => (await openSessions(survivors[0])) === 0,
          'the sessions of the lost daemon are closed',
          60_000,
          250,
        )
      await Promise.all(victims.map((name) => two.start(name, { readyWithinMs: 60_000 })))

      const door = two.at[oneOf(daemonNames)]
      await waitUntil(async () => (await openSessions(oneOf(daemonNames))) === 0, 'every session is closed', 10_000, 50)
      const sessions = await checkBooks(t, door, journeys.acknowledged)
      for (const name of daemonNames) if (two.at[name] !== door) await checkLog(t, two.at[name])
      for (const [name, { session }] of open)
        if (victims.includes(name))
          t.equal(sessions.find(({ id }) => id === session.sessionId)?.endReason, 'daemon-lost', name)
      const killed = new Set(await subjects(door, 'session.killed', 'session'))
      t.same(
        journeys.killed.filter((id) => !killed.has(id)),
        [],
        `${journeys.killed.length} sessions that were killed`,
      )
      await checkPromises(t)
      await checkRemovals(t)
      await waitUntil(async () => (await backends()) === 0, 'nothing of it is left at the target')

      for (const name of daemonNames) {
        const { client } = await openDatabase(two.at[name])
        t.equal((await client.query('select count(*) from orders')).rowCount, 1, `the next session at ${name} works`)
        await client.end()
      }
      await revokeTokens(door)
      await cancelPending(door)
      for (const [id, states] of journeys.promised)
        if (states.includes('valid') || states.includes('pending')) journeys.promised.delete(id)
    })
  }

  await t.test('what ran out meanwhile is in the log, once', async (t) => {
    const ended = () => subjects(two.at.a, 'grant.expired', 'grant')
    const isLogged = async () => (await ended()).length >= brief.length
    await waitUntil(isLogged, 'all of them are in the log', 40_000, 250)
    t.same((await ended()).sort(), [...brief].sort())
    t.comment(`${journeys.steps} steps were acknowledged, ${journeys.failures.length} failed`)
  })

  /** Both at once in every third round. */
  function victimsOf(round: number): readonly DaemonName[] {
    return round % 3 === 2 && round % 10 !== 5 ? daemonNames : [oneOf(daemonNames)]
  }

  /** A session that is used all the time. */
  async function query(name: DaemonName): Promise<{ session: DatabaseClient; isLost: () => boolean }> {
    const session = await openWith(two.at[name], await issueToken(two.at[name], 'alice', { grant }))
    journeys.acknowledged.sessions.push(session.sessionId)
    let isLost = false
    const untilLost = async () => {
      for (;;) await session.client.query('select id, status from orders where id = $1', [1])
    }
    void session.lost.then(() => {
      isLost = true
    })
    untilLost().catch(() => {}) // it is lost, or its client ends it
    return { session, isLost: () => isLost }
  }

  async function openSessions(name: DaemonName = 'a'): Promise<number> {
    const { total } = await two.at[name].api<{ total: number }>('carol', 'GET', '/api/v1/sessions?open=true&limit=1')
    return total
  }

  /** Every row says what the last answer said. */
  async function checkPromises(t: Test): Promise<void> {
    const door = two.at[oneOf(daemonNames)]
    const requests = await listAll<{ id: string; status: string; stage: number | null }>(
      door,
      'alice',
      '/api/v1/requests?all=true&',
    )
    const half = requests.filter(({ status, stage }) => status === 'pending' && stage === null)
    t.same(half, [], 'nothing is decided and not given')
    const found = new Map(requests.map(({ id, status }) => [id, status]))
    const grants = await listAll<{ id: string; state: string }>(door, 'dave', '/api/v1/grants?all=true&')
    for (const { id, state } of grants) found.set(id, state)
    for (const { id } of await listAll<{ id: string }>(door, 'alice', '/api/v1/connect-tokens?')) found.set(id, 'valid')
    for (const { id } of await listAll<{ id: string }>(door, 'dave', '/api/v1/tokens?')) found.set(id, 'valid')
    const people = await listAll<{ id: string; lockedAt: number | null }>(door, 'dave', '/api/v1/principals?')
    for (const { id, lockedAt } of people) found.set(id, lockedAt === null ? 'open' : 'locked')
    const broken = [...journeys.promised].filter(([id, states]) => !states.includes(found.get(id) ?? 'gone'))
    t.same(
      broken.map(([id, states]) => `${id}: ${found.get(id)}, and not ${states.join(' or ')}`),
      [],
      `${journeys.promised.size} promises`,
    )
  }

  /** What was revoked opens nothing, at either. */
  async function checkRemovals(t: Test): Promise<void> {
    for (const name of daemonNames) {
      const { url, postgresPort: port } = two.daemons[name]
      for (const token of journeys.dead.api.slice(-3)) {
        const headers = { authorization: `Bearer ${token}` }
        t.equal((await fetch(`${url}/api/v1/whoami`, { headers })).status, 401, `a revoked API token at ${name}`)
      }
      for (const token of journeys.dead.connect.slice(-3))
        t.match(await refusal(clientFor(two.at[name], { ...token, port })), { code: /^28/ }, `${token.id} at ${name}`)
    }
  }

  /** A person may have 50 at once. */
  async function cancelPending(door: Door): Promise<void> {
    for (const { id } of await listAll<{ id: string }>(door, 'alice', '/api/v1/requests?who=me&'))
      await door.api('alice', 'POST', `/api/v1/requests/${id}/cancel`, {})
  }

  async function backends(): Promise<number> {
    const { rows } = await two.sandbox.postgres.query(
      'orders',
      "select 1 from pg_stat_activity where application_name ~ 'ses_'",
    )
    return rows.length
  }
})
