import t from 'tap'
import { startDaemons } from './daemons-setup.ts'

t.test('of those who start at once one leads; when it leaves, another does at once', async (t) => {
  const { join } = await startDaemons(t)
  const all = await Promise.all([join(), join(), join()])
  const leaders = () => all.filter(({ daemons }) => daemons.leader.isLeader)
  t.equal(leaders().length, 1)
  const [first] = leaders()
  await first?.daemons.leave()
  for (const { daemons } of all) if (daemons !== first?.daemons) await daemons.lead()
  t.equal(leaders().length, 1)
  t.not(leaders()[0], first)
})

t.test('one who slept does not lead before it has asked again, by either clock', async (t) => {
  const { join } = await startDaemons(t)
  const { daemons, clocks } = await join()
  for (const clock of ['elapsed', 'skew'] as const) {
    t.ok(daemons.leader.isLeader)
    daemons.leader.check()
    clocks[clock] += 8000
    t.notOk(daemons.leader.isLeader)
    t.throws(() => daemons.leader.check(), { code: 'NOT_LEADER' })
    clocks[clock] -= 8000
    await daemons.lead()
  }
  clocks.skew -= 1500
  t.ok(daemons.leader.isLeader)
  clocks.elapsed += 8000
  t.notOk(daemons.leader.isLeader, 'a clock that is set back lengthens nothing')
})

t.test('whose clock jumps leads no more, before anything is asked, and another does', async (t) => {
  const { join, expireLease } = await startDaemons(t)
  const [a, b] = [await join(), await join()]
  for (const seconds of [-3, -3600, 3]) {
    t.ok(a.daemons.leader.isLeader)
    a.clocks.skew += seconds * 1000
    t.notOk(a.daemons.leader.isLeader, `${seconds} s`)
    t.throws(() => a.daemons.requireClock(), { code: 'CLOCK_WRONG', message: /differ by/ })
    a.steady.now() // as whatever looks at a grant does
    await a.daemons.lead()
    await b.daemons.lead()
    t.same([a.daemons.leader.isLeader, b.daemons.leader.isLeader], [false, true])
    a.clocks.skew -= seconds * 1000
    await expireLease()
    await a.daemons.lead()
    t.equal(
      a.daemons.leader.isLeader,
      seconds < 0,
      'it leads once it is right again, unless grants end here by what it was',
    )
  }
  t.match(a.daemons.problems(), [/^its clock was set back by [23]\.\d s while it ran, .*: restart it$/])
  t.throws(() => a.daemons.requireClock(), { code: 'CLOCK_WRONG' })
  t.doesNotThrow(() => b.daemons.requireClock())
})

t.test('stopped between its check and its write, after another took over: the write is refused', async (t) => {
  const { join, expireLease, db } = await startDaemons(t)
  const [a, b] = [await join(), await join()]
  const claimed = async (of: typeof a) => (await db.executeQuery(of.daemons.leader.claim())).rows.length
  a.daemons.leader.check()
  t.equal(await claimed(a), 1)
  await expireLease()
  t.equal(await claimed(a), 0, 'its lease has run out, though it believes otherwise')
  t.ok(a.daemons.leader.isLeader)
  await b.daemons.lead()
  t.ok(b.daemons.leader.isLeader)
  t.same([await claimed(a), await claimed(b)], [0, 1])
  await a.daemons.lead()
  t.notOk(a.daemons.leader.isLeader)
})

t.test(
  'a lease that ran out and was taken again is another epoch: what was claimed under the one before is refused',
  async (t) => {
    const { join, expireLease, db } = await startDaemons(t)
    const { daemons } = await join()
    const before = daemons.leader.claim()
    await daemons.lead()
    t.equal((await db.executeQuery(before)).rows.length, 1, 'a renewal is no other epoch')
    await expireLease()
    await daemons.lead()
    t.equal((await db.executeQuery(before)).rows.length, 0)
    t.equal((await db.executeQuery(daemons.leader.claim())).rows.length, 1)
  },
)
