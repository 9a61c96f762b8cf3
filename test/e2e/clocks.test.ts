/** Two daemons on one store, of which one's clock is wrong, or jumps: faketime moves it, for the daemon's own process alone. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { skipInShortRun } from '../long.ts'
import { createPerson } from '../sandbox/person.ts'
import { skipWithout } from '../sandbox/programs.ts'
import { waitUntil } from '../wait-until.ts'
import { checkLog, listAll, subjects } from './books.ts'
import { clientFor, issueToken, openWith, refusal } from './database-client.ts'
import { type DaemonName, startTwoDaemons } from './two-daemons.ts'

t.setTimeout(300_000)

/** How far the clocks of two daemons may be apart. */
const boundMs = 2000

await t.test('clocks that differ, and that jump', { skip: skipInShortRun || skipWithout('faketime') }, async (t) => {
  const two = await startTwoDaemons()
  t.teardown(() => two.close())
  const { a, b } = two.at
  const clockFile = path.join(two.sandbox.dir, 'clock')
  const setClock = (offset: string) => writeFileSync(clockFile, `${offset}\n`)
  const preload = spawnSync('faketime', ['-m', '-f', '+0s', 'printenv', 'LD_PRELOAD']).stdout.toString().trim()
  const through = [
    'env',
    `LD_PRELOAD=${preload}`,
    `FAKETIME_TIMESTAMP_FILE=${clockFile}`,
    ...['FAKETIME_CACHE_DURATION=1', 'FAKETIME_DONT_FAKE_MONOTONIC=1', 'NO_FAKE_STAT=1'],
  ]
  const problems = async (name: DaemonName = 'b'): Promise<string> => {
    const response = await fetch(`${two.daemons[name].url}/readyz`).catch(() => undefined)
    const body = (await response?.json()) as { problems: string[] } | undefined
    return body === undefined ? 'it does not listen' : body.problems.join()
  }
  /** As the reason why b is not ready. */
  const says = async (pattern: RegExp) => {
    let last = ''
    const isSaid = async () => {
      last = await problems()
      return pattern.test(last)
    }
    await waitUntil(isSaid, () => `${pattern}: ${last}`, 30_000, 50)
  }
  const isReady = () => waitUntil(async () => (await problems()) === '', 'b is ready', 20_000, 50)
  const metric = async (name: DaemonName, of: string): Promise<number> => {
    const text = await (await fetch(`${two.daemons[name].metricsUrl}/metrics`)).text()
    return Number(new RegExp(`^sallyport_${of} (\\S+)$`, 'm').exec(text)?.[1])
  }
  const leads = (name: DaemonName) =>
    waitUntil(async () => (await metric(name, 'is_leader')) === 1, `${name} leads`, 20_000, 50)
  const stateOf = async (id: string) => {
    const grants = await listAll<{ id: string; state: string }>(a, 'dave', '/api/v1/grants?all=true&')
    return grants.find((grant) => grant.id === id)?.state
  }
  const request = async () =>
    await a.api<{ request: { id: string; digest: string } }>('alice', 'POST', '/api/v1/requests', {
      ...{ resource: 'orders', level: 'readonly', durationMs: 3_600_000, reason: 'order 17' },
    })
  /** With a grant of this one's alone. */
  const openAt = async (name: DaemonName, grant: string) => {
    const token = await issueToken(a, 'alice', { grant })
    return await openWith(a, { ...token, port: two.daemons[name].postgresPort })
  }

  await two.daemons.b.stop()
  await leads('a')

  await t.test('3 s behind: not ready, and nothing is given or opened; what is taken away is', async (t) => {
    setClock('-3s')
    const starting = two.start('b', { through, readyWithinMs: 60_000 })
    starting.catch(() => {}) // it is awaited below
    await says(/^its clock and that of the store differ by (2\.9|3\.0) s: mend the one that is wrong$/)
    const skew = await metric('b', 'clock_skew_seconds')
    t.ok(Math.abs(skew - 3) < 0.5, `the store is ahead: ${skew}`)
    const { id } = await a.grant()
    const token = await issueToken(a, 'alice', { grant: id })
    const refused = await refusal(clientFor(b, { ...token, port: two.daemons.b.postgresPort }))
    t.match(refused, { code: '57P03', message: /clock of this daemon is wrong/ })
    const asked = await request()
    const approved = await b.call('bob', 'POST', `/api/v1/requests/${asked.request.id}/approve`, {
      digest: asked.request.digest,
    })
    t.equal(approved.status, 503)
    t.match(await approved.json(), { code: 'CLOCK_WRONG' })
    t.equal((await b.call('bob', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'incident 42' })).status, 200)
    setClock('+0s')
    await starting
  })

  let expired = ''
  await t.test('1 s off is within the bound: sign-ins, claims, and ends at the right time', async (t) => {
    for (const offset of ['-1s', '+1s']) {
      setClock(offset)
      const wanted = offset === '-1s' ? 1 : -1
      const isOff = async () => Math.abs((await metric('b', 'clock_skew_seconds')) - wanted) < 0.5
      await waitUntil(isOff, `the clock is off by ${offset}`, 10_000, 50)
      t.equal(await problems(), '', offset)
      two.balancer.to('b')
      two.balancer.drop()
      const person = createPerson('alice')
      await person.signIn(`${two.daemons.b.url}/login`)
      t.equal((await person.fetch(`${two.daemons.b.url}/api/v1/whoami`)).status, 200, `a sign-in, ${offset}`)
      const asked = await request()
      const { id, digest } = asked.request
      const answers = await Promise.all([
        a.call('bob', 'POST', `/api/v1/requests/${id}/approve`, { digest }),
        b.call('bob', 'POST', `/api/v1/requests/${id}/deny`, { digest }),
      ])
      t.equal(answers.filter(({ ok }) => ok).length, 1, `one of two decisions wins, ${offset}`)
      const given = await b.grant(4000)
      const endsAt = Date.now() + 4000
      for (const session of [await openAt('a', given.id), await openAt('b', given.id)]) {
        await session.lost
        const late = Date.now() - endsAt
        t.ok(late > -boundMs && late < boundMs, `it ends within the bound, ${offset}: ${late} ms`)
      }
      expired = given.id
    }
    setClock('+0s')
    two.balancer.to('a', 'b')
  })

  await t.test('set back by an hour: not ready, no expired grant comes alive, nobody is given up', async (t) => {
    await waitUntil(async () => (await stateOf(expired)) === 'expired', 'it has expired', 20_000, 50)
    setClock('-1h')
    await says(/differ by (3599\.9|3600\.0) s/)
    t.equal(await stateOf(expired), 'expired')
    t.equal(
      (await a.call('alice', 'POST', '/api/v1/connect-tokens', { resource: 'orders', grant: expired })).status,
      403,
    )
    t.equal(
      (await b.call('alice', 'POST', '/api/v1/connect-tokens', { resource: 'orders', grant: expired })).status,
      403,
    )
    t.equal(await problems('a'), '')
    setClock('+0s')
    await isReady()
  })

  await t.test('the leader jumps ahead by an hour: it leads no more, and expires nothing for the others', async (t) => {
    await two.daemons.a.stop()
    await leads('b')
    await two.start('a', { readyWithinMs: 60_000 })
    const { id } = await a.grant(1_800_000)
    const [atA, atB] = [await openAt('a', id), await openAt('b', id)]
    setClock('+1h')
    await says(/differ by (3599\.9|3600\.0) s/)
    t.match(await atB.lost, { code: '57P01', message: /expired/ }, 'by its own clock it has ended')
    await leads('a')
    t.equal(await metric('b', 'is_leader'), 0)
    t.equal(await stateOf(id), 'active')
    t.equal((await atA.client.query('select 1')).rowCount, 1, 'elsewhere it runs on')
    await atA.client.end()
    t.notOk((await subjects(a, 'grant.expired', 'grant')).includes(id))

    setClock('+0s')
    await says(/^its clock was set back by .* s while it ran, and grants end here by the time before: restart it$/)
    await two.daemons.b.stop()
    await two.start('b', { readyWithinMs: 60_000 })
    const again = await openAt('b', id)
    t.equal((await again.client.query('select 1')).rowCount, 1, 'after a restart it is as it was')
    await again.client.end()
    t.same(await subjects(a, 'daemon.lost', 'daemon'), [], 'nobody was given up')
    for (const door of [a, b]) await checkLog(t, door)
  })
})
