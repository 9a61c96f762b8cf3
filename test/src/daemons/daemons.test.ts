import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join as joinPath } from 'node:path'
import { sql } from 'kysely'
import t from 'tap'
import { homeId } from '../../../src/daemons/home.ts'
import { waitUntil } from '../../wait-until.ts'
import { sqlitePlace } from '../store/both-stores.ts'
import { startDaemons } from './daemons-setup.ts'

t.test('the id of a home is made once and kept', async (t) => {
  const dir = mkdtempSync(joinPath(tmpdir(), 'sallyport-home-'))
  const id = homeId(dir)
  t.match(id, /^dmn_[0-9a-z]{26}$/)
  t.equal(homeId(dir), id)
  t.equal(statSync(joinPath(dir, 'daemon')).mode & 0o777, 0o600)
  t.equal(readFileSync(joinPath(dir, 'daemon'), 'utf8'), `${id}\n`)
  writeFileSync(joinPath(dir, 'daemon'), 'dmn_\n')
  t.throws(() => homeId(dir), { code: 'CONFIG_INVALID', message: /holds no id of a daemon/ })
})

t.test('a daemon that has its store for itself is the only one, and leads', async (t) => {
  const { join, db } = await startDaemons(t, await sqlitePlace())
  const first = await join()
  await first.daemons.leave()
  const { daemons } = await join()
  t.match({ ...daemons, number: daemons.number }, { number: 0 })
  t.ok(daemons.leader.isLeader)
  daemons.leader.check()
  t.equal((await db.executeQuery(daemons.leader.claim())).rows.length, 1)
  t.equal((await db.selectFrom('daemons').selectAll().execute()).length, 1)
})

t.test('each of several has a number of its own, the smallest that is free', async (t) => {
  const { join } = await startDaemons(t)
  const [a, b, c] = [await join(), await join(), await join()]
  t.same(
    [a, b, c].map(({ daemons }) => daemons.number),
    [0, 1, 2],
  )
  await b.daemons.leave()
  t.equal((await join()).daemons.number, 1)
  const together = await Promise.all([join(), join(), join(), join()])
  t.same(together.map(({ daemons }) => daemons.number).sort(), [3, 4, 5, 6], 'also when they start at once')
})

t.test('who lives is seen with the next heartbeat; who has left or is silent is not asked', async (t) => {
  const { join, silence, db } = await startDaemons(t)
  const [a, b] = [await join(), await join()]
  const seen = async () => {
    await a.daemons.beat()
    return a.daemons.others.map(({ id }) => id)
  }
  t.same(await seen(), [b.daemons.id])
  await silence(b.daemons.id, 16_000)
  t.same(await seen(), [])
  await b.daemons.beat()
  t.same(await seen(), [b.daemons.id])
  await db.updateTable('daemons').set({ url: 'http://elsewhere' }).where('id', '=', b.daemons.id).execute()
  t.same(await seen(), [], 'a row that no daemon signed leads nowhere')
  await b.daemons.leave()
  t.same(await seen(), [])
})

t.test('after two missed heartbeats a restart takes the row over; the run before it is replaced', async (t) => {
  const { join, silence } = await startDaemons(t)
  const before = await join()
  t.ok(before.daemons.leader.isLeader)
  await silence(before.daemons.id, 2500)
  const why: string[] = []
  before.daemons.onFenced = (reason) => why.push(reason)
  const after = await join({ id: before.daemons.id })
  t.equal(after.daemons.number, 0)
  t.ok(after.daemons.leader.isLeader, 'with the lease, which its earlier run cannot use any more')
  await before.daemons.beat()
  await before.daemons.beat()
  t.same(why, ['replaced'])
  t.notOk(before.daemons.leader.isLeader)
  await before.daemons.leave()
  await after.daemons.beat()
  t.equal(after.daemons.fenced, undefined, 'and takes nothing with it')
})

t.test('nor does a second process on one machine, which names the same host', async (t) => {
  const { join } = await startDaemons(t)
  const { daemons } = await join()
  const beats = setInterval(() => void daemons.beat(), 200)
  t.teardown(() => clearInterval(beats))
  await t.rejects(join({ id: daemons.id }), { code: 'CONFIG_INVALID', message: /a daemon on host-a runs with it/ })
  clearInterval(beats)
  await daemons.beat()
  t.equal(daemons.fenced, undefined, 'the first goes on')
  t.equal((await join({ id: daemons.id })).daemons.id, daemons.id, 'and is succeeded when it has been killed')
})

t.test('a heartbeat that is ahead keeps no restart waiting', async (t) => {
  const { join, silence } = await startDaemons(t)
  const { daemons } = await join()
  await silence(daemons.id, -3_600_000)
  t.equal((await join({ id: daemons.id })).daemons.id, daemons.id)
})

t.test('a copy of a state.dir on another machine does not start beside the first', async (t) => {
  const { join, silence } = await startDaemons(t)
  const { daemons } = await join({ name: 'host-a' })
  const beats = setInterval(() => void daemons.beat(), 200)
  t.teardown(() => clearInterval(beats))
  await t.rejects(join({ id: daemons.id, name: 'host-b' }), {
    code: 'CONFIG_INVALID',
    message: /a daemon on host-a runs with it, or with a copy of it/,
  })
  clearInterval(beats)
  await daemons.beat()
  t.equal(daemons.fenced, undefined)
  await silence(daemons.id, 15_000)
  t.equal(
    (await join({ id: daemons.id, name: 'host-b' })).daemons.id,
    daemons.id,
    'once it is silent, state.dir has moved',
  )
})

t.test('a daemon that is silent for as long as its row says is given up, and begins anew when it wakes', async (t) => {
  const { join, silence, rowOf } = await startDaemons(t)
  const [a, b] = [await join(), await join({ patienceMs: 20_000 })]
  const why: string[] = []
  b.daemons.onFenced = (reason) => why.push(reason)
  await a.pass(21)
  await silence(b.daemons.id, 19_000)
  await a.daemons.beat()
  t.same(await a.daemons.findLost(), [], 'not yet')
  t.match(await a.daemons.gone([b.daemons.id, 'dmn_0']), { lost: [], unknown: ['dmn_0'] })
  await silence(b.daemons.id, 1000)
  await a.daemons.beat()
  t.match(await a.daemons.findLost(), [{ id: b.daemons.id }])
  t.same(await a.daemons.findLost(), [], 'once')
  t.match(await a.daemons.gone([b.daemons.id, a.daemons.id]), { lost: [b.daemons.id], unknown: [] })
  await b.daemons.beat()
  t.same(why, ['lost'])
  t.same(b.daemons.problems(), ['other daemons have given this one up for lost'])
  const again = await join({ id: b.daemons.id })
  t.match(await rowOf(again.daemons.id), { lost_at: null, number: 1 })
  t.match(await a.daemons.gone([again.daemons.id]), { lost: [] })
})

t.test('a heartbeat that came meanwhile saves a daemon from being given up', async (t) => {
  const { join, silence, rowOf } = await startDaemons(t)
  const [a, b] = [await join(), await join()]
  await a.pass(16)
  await silence(b.daemons.id, 60_000)
  await a.daemons.beat()
  await b.daemons.beat()
  t.same(await a.daemons.findLost(), [])
  t.equal((await rowOf(b.daemons.id))?.lost_at, null)
})

t.test('when the store was away for all, nobody is given up until each had time to show that it lives', async (t) => {
  const { join, silence } = await startDaemons(t)
  const [a, b] = [await join(), await join()]
  await a.pass(30)
  a.clocks.elapsed += 60_000 // no heartbeat in between
  await silence(b.daemons.id, 60_000)
  await a.pass(14)
  t.same(await a.daemons.findLost(), [])
  await a.pass(3)
  t.match(await a.daemons.findLost(), [{ id: b.daemons.id }])
})

t.test('a row that is gone fences its daemon', async (t) => {
  const { join, db } = await startDaemons(t)
  const { daemons } = await join()
  await db.deleteFrom('daemons').execute()
  await daemons.beat()
  t.equal(daemons.fenced, 'lost')
})

t.test('the clock: what it differs by, without what the way takes; beyond two seconds nobody is let in', async (t) => {
  const { join } = await startDaemons(t)
  const { daemons, clocks, metrics } = await join()
  t.same(daemons.problems(), [])
  for (const [seconds, after] of [
    [-60, []],
    [60, [/its clock was set back by (59|60)\.\d s while it ran, .*: restart it/]],
  ] as const) {
    clocks.skew = seconds * 1000
    await daemons.beat()
    t.match(daemons.problems(), [/its clock and that of the store differ by (59|60)\.\d s/])
    const { values } = await metrics.clockSkewSeconds.get()
    t.ok(Math.abs((values[0]?.value ?? 0) + seconds) < 2, 'ahead is the store')
    clocks.skew = 1000
    await daemons.beat()
    t.match(daemons.problems(), after)
    t.equal(daemons.problems().length, after.length)
  }
})

t.test('rules that differ among those who live are a warning, and a number', async (t) => {
  const { join } = await startDaemons(t)
  const [a, b] = [await join(), await join()]
  await a.daemons.rulesAre('one')
  await a.daemons.beat()
  t.same(a.daemons.warnings(), [], 'the other has none yet')
  await b.daemons.rulesAre('two')
  await a.daemons.beat()
  t.match(a.daemons.warnings(), [new RegExp(`rules in force here are not those of ${b.daemons.id}`)])
  const states = async () => (await a.metrics.daemons.get()).values.map(({ labels, value }) => [labels.state, value])
  t.same(await states(), [
    ['live', 2],
    ['silent', 0],
    ['rules-differ', 1],
  ])
  await b.daemons.rulesAre('one')
  await a.daemons.beat()
  t.same(a.daemons.warnings(), [])
})

t.test('heartbeats that the store does not take are told: it is read-only, or away for too long', async (t) => {
  const { join, db } = await startDaemons(t)
  const { daemons, clocks, pass } = await join()
  daemons.requireBeaten()
  clocks.elapsed += 5001
  t.throws(() => daemons.requireBeaten(), { code: 'STORE_UNAVAILABLE', message: /no heartbeat for 5[0-9]{3} ms/ })
  await pass(1)
  daemons.requireBeaten()
  const { rows } = await sql<{ name: string }>`select current_database() as name`.execute(db)
  const readOnly = async (value: 'on' | 'off') => {
    await sql`alter database ${sql.id(rows[0]?.name ?? '')} set default_transaction_read_only = ${sql.raw(value)}`.execute(
      db,
    )
    await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`.execute(db)
  }
  await readOnly('on')
  const isTold = async () => {
    await daemons.beat().catch(() => undefined)
    return daemons.problems().some((problem) => /the store is read-only/.test(problem))
  }
  await waitUntil(isTold, 'it is told')
  t.throws(() => daemons.requireBeaten(), { code: 'STORE_UNAVAILABLE', message: /read-only transaction/ })
  await readOnly('off')
  await waitUntil(async () => !(await isTold()), 'it is over')
  daemons.requireBeaten()
})
