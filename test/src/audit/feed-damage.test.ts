import t from 'tap'
import { prepareEvent } from '../../../src/audit/append/prepare-event.ts'
import { link } from '../../../src/audit/chain.ts'
import type { Head } from '../../../src/audit/head.ts'
import type { Db } from '../../../src/store/store.ts'
import { waitUntil } from '../../wait-until.ts'
import { openDaemons } from './feed-setup.ts'
import { created, openAudit, revoked } from './start-audit.ts'

const setHead = (db: Db, head: Partial<Head>) => db.updateTable('audit_head').set(head).execute()
const headOf = (db: Db) => db.selectFrom('audit_head').selectAll().executeTakeFirstOrThrow()
const remove = (db: Db, seq: number) => db.deleteFrom('audit_events').where('seq', '=', seq).execute()

/** The reader has read three events; six more follow, which it has not. Each is done to the store by who may write to it. */
const damages: Record<
  string,
  { readonly what: RegExp; readonly onlyPolled?: true; do(db: Db, atThree: Head): Promise<unknown> }
> = {
  'a revocation is deleted': { what: /event 5 of the log/, do: (db) => remove(db, 5) },
  'the next event is deleted': { what: /event 4 of the log/, do: (db) => remove(db, 4) },
  'the last event is deleted': { what: /event 9 of the log/, do: (db) => remove(db, 9) },
  'all that was not read is deleted': {
    what: /event [49] of the log/,
    do: (db) => db.deleteFrom('audit_events').where('seq', '>', 3).execute(),
  },
  'the last event that was read is deleted': {
    what: /event 3 of the log is not the one/,
    onlyPolled: true,
    do: (db) => remove(db, 3),
  },
  'the last event that was read is altered': {
    what: /event 3 of the log is not the one/,
    onlyPolled: true,
    do: (db) => db.updateTable('audit_events').set({ body: '{"grant":"grt_9"}' }).where('seq', '=', 3).execute(),
  },
  'fields of an event are altered': {
    what: /event 6 of the log: its content was changed/,
    do: (db) => db.updateTable('audit_events').set({ body: '{"grant":"grt_other"}' }).where('seq', '=', 6).execute(),
  },
  'the last event is altered': {
    what: /event 9 of the log/,
    do: (db) => db.updateTable('audit_events').set({ type: 'grant.created' }).where('seq', '=', 9).execute(),
  },
  'the text of an event is altered': {
    what: /the text of event 7/,
    do: (db) => db.updateTable('audit_texts').set({ text: '{"reason":"fine"}' }).where('seq', '=', 7).execute(),
  },
  'two events change places': {
    what: /event 5 of the log/,
    do: async (db) => {
      for (const [from, to] of [
        [5, 100],
        [6, 5],
        [100, 6],
      ] as const)
        await db.updateTable('audit_events').set({ seq: to }).where('seq', '=', from).execute()
    },
  },
  'the log is cut, and its head put back to what was signed then': {
    what: /the log ends at event 2, but it had reached event 3/,
    do: async (db) => {
      await db.deleteFrom('audit_events').where('seq', '>', 2).execute()
      const last = await db.selectFrom('audit_events').selectAll().orderBy('seq', 'desc').executeTakeFirstOrThrow()
      await setHead(db, { seq: last.seq, hash: last.hash })
    },
  },
  'the head is put back to what was signed then, its events left': {
    what: /event 3 of the log/,
    onlyPolled: true,
    do: (db, atThree) => setHead(db, atThree),
  },
  'an event is added by a stranger': {
    what: /the events after 3 were not written by this broker/,
    do: async (db) => {
      const head = await headOf(db)
      const forged = link(prepareEvent(created('grt_forged'), 1), head.seq + 1, head.hash)
      await db.insertInto('audit_events').values(forged).execute()
      await setHead(db, { seq: forged.seq, hash: forged.hash })
    },
  },
  'the head has lost its MAC': { what: /were not written by this broker/, do: (db) => setHead(db, { mac: null }) },
  'the head is gone': { what: /no head row/, onlyPolled: true, do: (db) => db.deleteFrom('audit_head').execute() },
  'the log is that of another installation': {
    what: /another installation, ins_other/,
    do: (db) => setHead(db, { installation: 'ins_other' }),
  },
}

async function readerBehind(t: Parameters<typeof openDaemons>[0]) {
  const { daemons } = await openDaemons(t, 2)
  const [writer, reader] = daemons as [(typeof daemons)[0], (typeof daemons)[0]]
  for (let n = 1; n <= 3; n++) await writer.audit.append(created(`grt_${n}`))
  const atThree = await headOf(writer.db)
  await reader.audit.catchUp()
  for (let n = 4; n <= 9; n++) await writer.audit.append(revoked(`grt_${n}`))
  return { writer, reader, atThree }
}

for (const [name, { what, onlyPolled, do: damage }] of Object.entries(damages)) {
  t.test(`${name}: nothing of it is told, and nothing is appended any more`, async (t) => {
    const { writer, reader, atThree } = await readerBehind(t)
    await damage(writer.db, atThree)
    await t.rejects(reader.audit.catchUp(), { code: 'AUDIT_UNAVAILABLE', message: what })
    t.match(reader.damages, [what])
    t.equal(reader.told.length, 3)
    await t.rejects(reader.audit.append(created('grt_after')), { code: 'AUDIT_UNAVAILABLE' })
    t.equal(await reader.audit.appendRemoval(revoked('grt_after')), true)
    t.equal(reader.audit.spooled().length, 1, 'a removal is kept apart')
    await t.rejects(reader.audit.checkpoint(), 'nor is anything signed')
    await t.rejects(reader.audit.catchUp(), { code: 'AUDIT_UNAVAILABLE' })
    t.equal(reader.damages.length, 1)
  })

  if (!onlyPolled)
    t.test(`${name}: an append finds it before any look`, async (t) => {
      const { writer, reader, atThree } = await readerBehind(t)
      await damage(writer.db, atThree)
      await t.rejects(reader.audit.append(created('grt_after')), { code: 'AUDIT_UNAVAILABLE' })
      t.match(reader.damages, [what])
      t.equal(reader.told.length, 3)
    })
}

t.test('who polls hears of it within a second', async (t) => {
  const { writer, reader } = await readerBehind(t)
  await reader.audit.start()
  await waitUntil(() => reader.told.length === 9, 'the reader has read all')
  await writer.db.deleteFrom('audit_events').where('seq', '>', 8).execute()
  const since = performance.now()
  await waitUntil(() => reader.damages.length > 0, 'the damage is found')
  t.ok(performance.now() - since < 1000)
})

t.test('damage far behind the page that is read first is found before any of it is told', async (t) => {
  const { daemons } = await openDaemons(t, 2)
  const [writer, reader] = daemons as [(typeof daemons)[0], (typeof daemons)[0]]
  await Promise.all(Array.from({ length: 1200 }, (_, n) => writer.audit.append(created(`grt_${n}`))))
  await remove(writer.db, 1150)
  await t.rejects(reader.audit.catchUp(), { message: /event 1150 of the log/ })
  t.same(reader.told, [])
})

t.test('a SQLite store that was put back under a running daemon is not continued', async (t) => {
  const { audit, db } = await openAudit(t)
  const damages: string[] = []
  await audit.append(created('grt_1'))
  const before = await headOf(db)
  await audit.append(revoked('grt_1'))
  await remove(db, 2)
  await setHead(db, before)
  await t.rejects(audit.checkpoint(), /ends at event 1, but it had reached event 2/)
  await t.rejects(audit.append(created('grt_2')), { code: 'AUDIT_UNAVAILABLE' })
  audit.onDamaged((what) => damages.push(what))
  t.match(damages, [/ends at event 1/])
})
