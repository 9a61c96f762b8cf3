import { readFileSync } from 'node:fs'
import t from 'tap'
import type { BrokerError } from '../../../proxy/session.ts'
import type { AuditRecord } from '../../../src/audit/audit.ts'
import { created, openAudit, revoked } from './start-audit.ts'

t.test('an event is durable, numbered and chained when append resolves', async (t) => {
  const { audit, db } = await openAudit(t)
  const first = await audit.append(created('grt_1'))
  const second = await audit.append(created('grt_2'))
  t.match(first, { seq: 1, at: 1_800_000_000_000, type: 'grant.created', hash: /^[0-9a-f]{64}$/ })
  t.equal(second.seq, 2)
  const rows = await db.selectFrom('audit_events').selectAll().orderBy('seq').execute()
  t.equal(rows[1]?.prev_hash, first.hash)
  t.match(await db.selectFrom('audit_head').selectAll().execute(), [{ seq: 2, hash: second.hash }])
})

t.test('personal text is beside the chain, which holds a salted digest only', async (t) => {
  const { audit, db } = await openAudit(t)
  await audit.append(created('grt_1'))
  await audit.append(created('grt_2'))
  const rows = await db.selectFrom('audit_events').selectAll().execute()
  t.notMatch(JSON.stringify(rows), /alice@example/)
  t.not(rows[0]?.text_digest, rows[1]?.text_digest, 'the same text has another digest each time')
})

t.test('what arrives while one commit runs goes into the next', async (t) => {
  let commits = 0
  const { audit } = await openAudit(t, {
    wrapMark: (mark) =>
      new Proxy(mark, {
        get: (target, key) => {
          if (key === 'advance') commits++ // by each commit
          const value = Reflect.get(target, key, target) as unknown
          return typeof value === 'function' ? value.bind(target) : value
        },
      }),
  })
  const first = audit.append(created('grt_0'))
  await new Promise((resolve) => setImmediate(resolve)) // the first commit is under way
  const others = Array.from({ length: 200 }, (_, i) => audit.append(created(`grt_${i + 1}`)))
  const records = await Promise.all([first, ...others])
  t.same(
    records.map(({ seq }) => seq),
    Array.from({ length: 201 }, (_, i) => i + 1),
    'in the order of the calls',
  )
  t.equal(commits, 2)
})

t.test('readers are told of every event once it is durable, in order; one that fails harms nobody', async (t) => {
  const { audit, logged } = await openAudit(t)
  const seen: number[] = []
  audit.subscribe(() => {
    throw new Error('reader broke')
  })
  const unsubscribe = audit.subscribe((record) => seen.push(record.seq))
  await Promise.all(Array.from({ length: 20 }, (_, i) => audit.append(created(`grt_${i}`))))
  t.same(
    seen,
    Array.from({ length: 20 }, (_, i) => i + 1),
  )
  t.match(logged.join(''), /reader broke/)
  unsubscribe()
  await audit.append(created('grt_x'))
  t.equal(seen.length, 20)
})

t.test('P-2: events of one millisecond, page by page: each once, also when more arrive meanwhile', async (t) => {
  const { audit } = await openAudit(t, { clock: { now: () => 1000 } })
  const add = async (count: number) => {
    for (let i = 0; i < count; i++) await audit.append(created(`grt_${i}`))
  }
  let head = 3
  await add(head)
  for (const query of [{}, { since: 1000, until: 1001 }, { types: ['grant.created'] as const }]) {
    const expected = Array.from({ length: head }, (_, i) => head - i)
    const seen: number[] = []
    let cursor: string | undefined
    do {
      const { events, next } = await audit.search({ ...query, limit: 1, ...(cursor === undefined ? {} : { cursor }) })
      seen.push(...events.map(({ seq }) => seq))
      await add(1)
      head += 1
      cursor = next ?? undefined
    } while (cursor !== undefined)
    t.same(seen, expected)
  }
})

t.test('search', async (t) => {
  let now = 1000
  const { audit } = await openAudit(t, { clock: { now: () => now++ } })
  for (let i = 0; i < 5; i++) await audit.append(created(`grt_${i}`))
  await audit.append(revoked('grt_3'))
  const seqs = async (query: Parameters<typeof audit.search>[0]) =>
    (await audit.search(query)).events.map(({ seq }) => seq)
  await t.test('newest first, with the text', async (t) => {
    const { events, next } = await audit.search({})
    t.equal(next, null)
    t.match(events[0], { seq: 6, type: 'grant.revoked', text: { reason: 'incident 42' } })
    t.same(await seqs({}), [6, 5, 4, 3, 2, 1])
  })
  await t.test('by type, actor, any value, time', async (t) => {
    t.same(await seqs({ types: ['grant.revoked', 'login.failed'] }), [6])
    t.same(await seqs({ actor: 'prn_bob' }), [6])
    t.same(await seqs({ subject: 'grt_3' }), [6, 4])
    t.same(await seqs({ subject: 'prn_alice' }), [5, 4, 3, 2, 1], 'the actor is a subject too')
    t.same(await seqs({ subject: 'alice@example.com' }), [], 'personal text is not')
    const third = (await audit.search({ cursor: '4', limit: 1 })).events[0]?.at ?? 0
    t.same(await seqs({ since: third }), [6, 5, 4, 3])
    t.same(await seqs({ until: third }), [2, 1], 'until is exclusive')
    t.same(await seqs({ subject: 'grt_3', types: ['grant.created'], actor: 'prn_alice' }), [4], 'all at once')
  })
  await t.test('page by page', async (t) => {
    const first = await audit.search({ limit: 4 })
    t.equal(first.next, '3')
    const second = await audit.search({ limit: 4, cursor: first.next ?? '' })
    t.same(
      second.events.map(({ seq }) => seq),
      [2, 1],
    )
    t.equal(second.next, null)
    t.equal((await audit.search({ limit: 6 })).next, null, 'a full last page has no next')
    await t.rejects(audit.search({ cursor: '1; drop table' }), { code: 'INVALID_INPUT', message: /cursor/ })
  })
})

t.test('a field that has no exact form is kept as text, a long one is cut and says so', async (t) => {
  const { audit } = await openAudit(t)
  const { fields } = await audit.append({
    type: 'session.ended',
    actor: 'prn_1',
    fields: { seconds: 0.5, long: 'x'.repeat(2000), list: Array.from({ length: 1001 }, String), odd: 'a\ud800' },
  })
  t.equal(fields.seconds, '0.5')
  t.equal(fields.long, `${'x'.repeat(1024)}[976 more characters]`)
  t.match((fields.list as string[]).at(-1), '[1 more]')
  t.equal(fields.odd, 'a\ufffd')
  const report = await audit.verify()
  t.notMatch(report.problems, [{ where: 'event' }])
})

t.test('a log that does not end where its head says is not continued', async (t) => {
  const first = await openAudit(t)
  await first.audit.append(created('grt_1'))
  await first.audit.append(created('grt_2'))
  await first.db.deleteFrom('audit_events').where('seq', '=', 2).execute()
  await first.close()
  await t.rejects(openAudit(t, { dir: first.dir }), {
    code: 'AUDIT_UNAVAILABLE',
    message: /head row names event 2 .*, but the log ends at 1/,
    hint: /audit verify/,
  })
})

t.test('an unwritable log refuses what grants access', async (t) => {
  await t.test('at once when the store fails', async (t) => {
    const { audit, db } = await openAudit(t)
    await db.schema.alterTable('audit_head').renameTo('gone').execute()
    await t.rejects(audit.append(created('grt_1')), { code: 'AUDIT_UNAVAILABLE' })
    await db.schema.alterTable('gone').renameTo('audit_head').execute()
    t.match(await audit.append(created('grt_1')), { seq: 1 }, 'and goes on once it is back')
  })
  await t.test('at the deadline when the store hangs', async (t) => {
    const { audit, db } = await openAudit(t, { deadlineMs: 50 })
    const { promise: hanging, resolve: letGo } = Promise.withResolvers<void>()
    const holder = db.transaction().execute(() => hanging)
    await t.rejects(audit.append(created('grt_1')), { code: 'AUDIT_UNAVAILABLE', message: /no commit within 50 ms/ })
    await t.rejects(audit.append(created('grt_2')), { code: 'AUDIT_UNAVAILABLE' })
    letGo()
    await holder
    const { events } = await audit.search({ subject: 'grt_2' })
    t.same(events, [], 'what was refused before its commit began never enters the log')
  })
  await t.test('when too many wait', async (t) => {
    const { audit } = await openAudit(t, { mostQueued: 3 })
    const results = await Promise.allSettled(Array.from({ length: 5 }, (_, i) => audit.append(created(`grt_${i}`))))
    const refused = results.flatMap((r) => (r.status === 'rejected' ? [r.reason as BrokerError] : []))
    t.equal(refused.length, 2)
    t.match(refused[0], { code: 'AUDIT_UNAVAILABLE', message: /3 events are waiting/ })
  })
})

t.test('what removes access is kept in the spool while the log is down', async (t) => {
  const first = await openAudit(t)
  const { audit, db, dir } = first
  await audit.start()
  await db.schema.alterTable('audit_head').renameTo('gone').execute()
  await audit.appendRemoval(revoked('grt_1'))
  await audit.appendRemoval(revoked('grt_2'))
  t.match(audit.spooled(), [
    { fields: { grant: 'grt_1' } },
    { fields: { grant: 'grt_2' }, text: { reason: 'incident 42' } },
  ])
  t.match(readFileSync(`${dir}/audit.spool`, 'utf8'), /grt_1.*\n.*grt_2/)

  await t.test('and is there after a crash, for its owners and then for the log', async (t) => {
    const other = await openSecondSpool(t, dir)
    t.match(other, [{ event: { fields: { grant: 'grt_1' } } }, { event: { fields: { grant: 'grt_2' } } }])
  })

  await db.schema.alterTable('gone').renameTo('audit_head').execute()
  await first.close()
  const second = await openAudit(t, { dir })
  t.same(second.audit.spooled(), [], 'stopping put them into the log, once it could be written')
  const { events } = await second.audit.search({ types: ['grant.revoked'] })
  t.match(events, [{ fields: { grant: 'grt_2', spooled: String } }, { fields: { grant: 'grt_1' } }])
  t.match(await second.audit.verify(), { problems: [] })
})

/** Reads the spool as a restarted daemon would. */
async function openSecondSpool(_t: Tap, dir: string) {
  const { openKeyring } = await import('../../../src/store/keyring.ts')
  const { readSpool } = await import('../../../src/audit/spool.ts')
  return readSpool(readFileSync(`${dir}/audit.spool`), openKeyring(`${dir}/keys`)).events
}
type Tap = Parameters<typeof openAudit>[0]

t.test('a crash between the commit and the emptying of the spool doubles nothing', async (t) => {
  const first = await openAudit(t)
  await first.db.schema.alterTable('audit_head').renameTo('gone').execute()
  await first.audit.appendRemoval(revoked('grt_1'))
  const spool = readFileSync(`${first.dir}/audit.spool`)
  await first.db.schema.alterTable('gone').renameTo('audit_head').execute()
  await first.close()
  const { writeFileSync } = await import('node:fs')
  writeFileSync(`${first.dir}/audit.spool`, spool) // as if the wipe had not reached the disk
  const second = await openAudit(t, { dir: first.dir })
  const [spooled] = second.audit.spooled()
  t.match((await second.audit.search({})).events, [{ fields: { spooled: spooled?.fields.spooled } }], 'known by its id')
  await second.audit.start()
  t.same(second.audit.spooled(), [])
  t.equal((await second.audit.search({ types: ['grant.revoked'] })).events.length, 1)
})

t.test('follow gives what is there, then what comes, to a slow reader too', async (t) => {
  const { audit } = await openAudit(t)
  for (let i = 0; i < 3; i++) await audit.append(created(`grt_${i}`))
  const stop = new AbortController()
  const seen: AuditRecord[] = []
  const reading = (async () => {
    for await (const record of audit.follow(1, stop.signal)) {
      seen.push(record)
      if (seen.length === 3)
        await Promise.all(Array.from({ length: 300 }, (_, i) => audit.append(created(`grt_b${i}`))))
      if (seen.length === 303) stop.abort()
    }
  })()
  await audit.append(created('grt_3'))
  await reading
  t.same(
    seen.map(({ seq }) => seq),
    Array.from({ length: 303 }, (_, i) => i + 2),
  )
})
