/** Rows of daemons and of their leader that someone changed who can write to the store, and has no keys. */
import t from 'tap'
import { closeLostDaemons } from '../../src/daemon/lost-daemons.ts'
import type { Parts } from '../../src/daemon/parts.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { startDaemons } from '../src/daemons/daemons-setup.ts'

const phantom = {
  ...{ run: 'x', number: 7, name: 'phantom', url: null, version: '1', started_at: 0, heartbeat_at: 0 },
  ...{ patience_ms: 0, lost_at: null, rules_digest: null, key_ids: '', mac: 'none' },
}
/** More than any number of ours. */
const huge = '9223372036854775807' as unknown as number

t.test('C: a lease that no daemon made so long keeps nobody from leading', async (t) => {
  const { join, db } = await startDaemons(t)
  const { daemons } = await join()
  const forge = async (change: { run?: string; expires_at?: number; epoch?: number }) => {
    await db.updateTable('leader').set(change).execute()
    await daemons.lead()
    t.ok(daemons.leader.isLeader, JSON.stringify(change))
    t.equal((await db.executeQuery(daemons.leader.claim())).rows.length, 1)
  }
  await forge({ run: 'nobody', expires_at: Date.now() + 3_600_000 })
  await forge({ run: 'nobody', expires_at: huge })
  await forge({ run: 'nobody', expires_at: 0, epoch: huge })
  await forge({ expires_at: huge })
})

t.test('C: a row of the leader that was deleted is made anew', async (t) => {
  const { join, db } = await startDaemons(t)
  const { daemons } = await join()
  await db.deleteFrom('leader').execute()
  await daemons.lead()
  t.notOk(daemons.leader.isLeader)
  await daemons.lead()
  t.ok(daemons.leader.isLeader)
})

t.test('C: that no daemon leads is a warning; that another leads is none', async (t) => {
  const { join, db } = await startDaemons(t)
  const [a, b] = [await join(), await join()]
  const later = async (ms: number) => {
    a.clocks.elapsed += ms
    await a.daemons.beat()
    await a.daemons.lead()
  }
  const keep = (run: string) =>
    db
      .updateTable('leader')
      .set({ run, expires_at: Date.now() + 10_000 })
      .execute()
  await b.daemons.leader
  const { run } = await db.selectFrom('daemons').select('run').where('id', '=', b.daemons.id).executeTakeFirstOrThrow()
  await keep(run)
  await later(29_000)
  await later(29_000)
  t.same(a.daemons.warnings(), [])
  await keep('nobody')
  await later(29_000)
  t.same(a.daemons.warnings(), [])
  await keep('nobody')
  await later(29_000)
  t.match(a.daemons.warnings(), [/^no daemon leads/])
  await keep(run)
  await later(1000)
  t.same(a.daemons.warnings(), [])
})

t.test('C: rows of daemons that there are not are no peers, take no numbers and fill no log', async (t) => {
  const { join, db, silence } = await startDaemons(t)
  const [a, b] = [await join(), await join()]
  const now = Date.now()
  const rows = Array.from({ length: 256 }, (_, number) => ({
    ...phantom,
    id: `dmn_${String(number).padStart(26, '0')}`,
    number,
    heartbeat_at: number % 2 === 0 ? 0 : now,
  }))
  await db.insertInto('daemons').values(rows).execute()
  await a.daemons.beat()
  t.same(
    a.daemons.others.map(({ id }) => id),
    [b.daemons.id],
  )
  t.equal((await join()).daemons.number, 2)
  await silence(b.daemons.id, 60_000)
  await a.pass(16)
  const told: unknown[] = []
  const { daemons } = a
  const audit = {
    search: async ({ subject }: { subject: string }) => ({ events: subject === b.daemons.id ? [{}] : [] }),
    append: async ({ fields }: { fields: { daemon: string } }) => told.push(fields.daemon),
  }
  const sessions = { closeSessionsOfLost: async () => [] }
  await closeLostDaemons({
    audit,
    db,
    daemons,
    sessions,
    logger: createLogger({ level: 'silent' }),
  } as unknown as Parts)
  t.same(told, [b.daemons.id])
})

t.test('C: a row that says more patience, or a heartbeat to come, hides no daemon that is lost', async (t) => {
  const { join, db } = await startDaemons(t)
  const [a, b, c] = [await join(), await join(), await join()]
  await a.pass(16)
  const forge = (id: string, change: object) => db.updateTable('daemons').set(change).where('id', '=', id).execute()
  await forge(b.daemons.id, { patience_ms: 2_000_000_000, heartbeat_at: Date.now() - 16_000 })
  await forge(c.daemons.id, { heartbeat_at: huge })
  await a.daemons.beat()
  t.same(a.daemons.others, [])
  t.same((await a.daemons.findLost()).map(({ id }) => id).sort(), [b.daemons.id, c.daemons.id].sort())
})

t.test('C: a run that no daemon signed does not end the daemon for good', async (t) => {
  const { join, db } = await startDaemons(t)
  const { daemons } = await join()
  await db.updateTable('daemons').set({ run: 'another' }).execute()
  await daemons.beat()
  t.equal(daemons.fenced, 'lost', 'it begins anew')
})
