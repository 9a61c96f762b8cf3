import t from 'tap'
import type { AuditRecord } from '../../../src/audit/audit.ts'
import { waitUntil } from '../../wait-until.ts'
import { allEvents, openDaemons, places } from './feed-setup.ts'
import { created, openAudit, revoked } from './start-audit.ts'

t.test('every event is told once, in order, to every daemon, with who appended it', async (t) => {
  const { daemons } = await openDaemons(t, 3)
  for (const { audit } of daemons) await audit.start()
  await Promise.all(
    daemons.flatMap(({ audit }, i) =>
      Array.from({ length: 40 }, (_, n) =>
        n % 3 === 0 ? audit.appendRemoval(revoked(`grt_${i}_${n}`)) : audit.append(created(`grt_${i}_${n}`)),
      ),
    ),
  )
  const [first] = daemons
  const all = await allEvents(first?.db as NonNullable<typeof first>['db'])
  t.equal(all.length, 120)
  for (const [i, { told }] of daemons.entries()) {
    await waitUntil(() => told.length >= all.length, `daemon ${i} is told of all`)
    t.same(places(told), all)
    for (const { from, record } of told)
      t.equal(from, String(record.fields.grant).startsWith(`grt_${i}_`) ? 'here' : 'elsewhere')
  }
  t.match(daemons[1]?.told[0]?.record, { actor: /^prn_/, text: { name: /@example\.com$/ }, fields: { grant: /^grt_/ } })
  for (const { audit } of daemons) await audit.checkpoint()
  t.match(await first?.audit.verify(), { problems: [] })
})

t.test('who appends has heard of all that was appended before', async (t) => {
  const { daemons } = await openDaemons(t, 2)
  const [a, b] = daemons as [(typeof daemons)[0], (typeof daemons)[0]]
  for (let n = 0; n < 5; n++) {
    const before = await a.audit.append(revoked(`grt_a${n}`))
    const own = await b.audit.append(created(`grt_b${n}`))
    t.same(b.told.slice(-2), [
      { seq: before.seq, hash: before.hash, from: 'elsewhere', record: b.told.at(-2)?.record },
      { seq: own.seq, hash: own.hash, from: 'here', record: own },
    ])
  }
  t.equal(a.told.length, 9, 'the last one was not asked for yet')
  await a.audit.catchUp()
  t.same(places(a.told), places(b.told))
})

t.test('what came while a daemon did not ask is read page by page', async (t) => {
  const { daemons } = await openDaemons(t, 2)
  const [a, b] = daemons as [(typeof daemons)[0], (typeof daemons)[0]]
  await Promise.all(Array.from({ length: 1300 }, (_, n) => a.audit.append(created(`grt_${n}`))))
  await Promise.all([b.audit.catchUp(), b.audit.catchUp(), b.audit.append(created('grt_last'))])
  t.same(places(b.told), await allEvents(a.db))
  t.equal(b.told.length, 1301)
})

t.test('a reader that follows the log is woken by events of other daemons', async (t) => {
  const { daemons } = await openDaemons(t, 2)
  const [a, b] = daemons as [(typeof daemons)[0], (typeof daemons)[0]]
  await b.audit.start()
  const stop = new AbortController()
  const seen: AuditRecord[] = []
  const reading = (async () => {
    for await (const record of b.audit.follow(0, stop.signal)) {
      seen.push(record)
      if (seen.length === 3) stop.abort()
    }
  })()
  for (let n = 0; n < 3; n++) await a.audit.append(created(`grt_${n}`))
  await reading
  t.same(
    seen.map(({ fields }) => fields.grant),
    ['grt_0', 'grt_1', 'grt_2'],
  )
})

t.test('the mark follows events of other daemons, and so does the next start', async (t) => {
  const advanced: number[] = []
  const { daemons, open } = await openDaemons(t, 1)
  const [a] = daemons as [(typeof daemons)[0]]
  const b = await open({
    wrapMark: (mark) => ({
      id: mark.id,
      noteCheckpoint: (n) => mark.noteCheckpoint(n),
      noteDamage: (what) => mark.noteDamage(what),
      advance: (events) => {
        advanced.push(...events.map(({ seq }) => seq))
        return mark.advance(events)
      },
    }),
  })
  await a.audit.append(revoked('grt_1'))
  await b.audit.append(created('grt_2'))
  await a.audit.append(revoked('grt_3'))
  await b.audit.catchUp()
  t.same(advanced, [1, 2, 3])
  const [known] = await allEvents(a.db)
  const c = await open({ known: known as { seq: number; hash: string } })
  await c.audit.catchUp()
  t.same(
    c.told.map(({ seq }) => seq),
    [2, 3],
    'from where it was judged',
  )
})

t.test('what its caller was told had failed, though it is in the log, is told as from elsewhere', async (t) => {
  let isFull = true
  const { daemons, open } = await openDaemons(t, 1)
  const b = await open({
    wrapMark: (mark) => ({
      id: mark.id,
      noteCheckpoint: (n) => mark.noteCheckpoint(n),
      noteDamage: (what) => mark.noteDamage(what),
      advance: async (events) => {
        await mark.advance(events)
        if (isFull) throw new Error('no space left on device')
      },
    }),
  })
  await daemons[0]?.audit.append(created('grt_0'))
  await t.rejects(b.audit.append(created('grt_1')), { code: 'AUDIT_UNAVAILABLE' })
  isFull = false
  await b.audit.append(created('grt_2'))
  t.same(
    b.told.map(({ seq, from }) => [seq, from]),
    [
      [1, 'elsewhere'],
      [2, 'elsewhere'],
      [3, 'here'],
    ],
  )
  t.equal((await allEvents(b.db)).length, 3, 'nothing was appended twice')
})

t.test('checkpoints of several daemons are one row of numbers', async (t) => {
  const { daemons } = await openDaemons(t, 3)
  await Promise.all(daemons.map(({ audit }) => audit.append(created('grt_1')).then(() => audit.checkpoint())))
  await Promise.all(daemons.map(({ audit }) => audit.checkpoint()))
  const rows = await daemons[0]?.db.selectFrom('audit_checkpoints').select('n').orderBy('n').execute()
  t.same(
    rows?.map(({ n }) => n),
    [1, 2, 3, 4, 5, 6],
  )
  t.match(await daemons[1]?.audit.verify(), { problems: [] })
})

t.test('a log that is not shared is not polled', async (t) => {
  const { audit } = await openAudit(t)
  const told: string[] = []
  audit.subscribe((_, from) => told.push(from))
  await audit.append(created('grt_1'))
  await audit.catchUp()
  audit.requireFresh()
  t.same(told, ['here'])
})

t.test('it is known when others have not been heard of', async (t) => {
  let now = 0
  const { daemons } = await openDaemons(t, 1, { elapsedMs: () => now })
  const { audit, db } = daemons[0] as (typeof daemons)[0]
  audit.requireFresh()
  await db.schema.alterTable('audit_events').renameTo('away').execute()
  now = 5001
  await t.rejects(audit.catchUp())
  t.throws(() => audit.requireFresh(), { code: 'STORE_UNAVAILABLE', message: /5001 ms ago/ })
  await db.schema.alterTable('away').renameTo('audit_events').execute()
  await audit.catchUp()
  audit.requireFresh()
})
