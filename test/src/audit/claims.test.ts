import { join } from 'node:path'
import { type CompiledQuery, sql } from 'kysely'
import t, { type Test } from 'tap'
import type { StorePlace } from '../../../src/store/place.ts'
import type { Db } from '../../../src/store/store.ts'
import { bothStores, postgresPlace } from '../store/both-stores.ts'
import { created, openAudit, revoked } from './start-audit.ts'

async function openWithRows(test: Test, place: StorePlace) {
  const opened = await openAudit(test, { place })
  await sql`create table doors (id text primary key, version integer not null)`.execute(opened.db)
  await sql`insert into doors values ('a', 1), ('b', 1), ('c', 1)`.execute(opened.db)
  const { db } = opened
  return {
    ...opened,
    claim: (id: string, version: number): CompiledQuery =>
      sql`update doors set version = version + 1 where id = ${id} and version = ${version} returning id`.compile(db),
    add: (id: string): CompiledQuery => sql`insert into doors values (${id}, 1)`.compile(db),
    doors: () => doors(db),
  }
}

async function doors(db: Db): Promise<Record<string, number>> {
  const { rows } = await sql<{ id: string; version: number }>`select * from doors order by id`.execute(db)
  return Object.fromEntries(rows.map(({ id, version }) => [id, version]))
}

const codes = (results: readonly PromiseSettledResult<unknown>[]) =>
  results.map((result) => (result.status === 'fulfilled' ? 'ok' : (result.reason as { code: string }).code))

for (const [name, newPlace] of bothStores) {
  t.test(`${name}: a claim that finds its row is committed with its event`, async (t) => {
    const { audit, claim, add, doors } = await openWithRows(t, await newPlace())
    await audit.append(created('grt_1'), { claims: [claim('a', 1)], writes: [add('d')] })
    t.equal(await audit.appendRemoval(revoked('grt_1'), { claims: [claim('a', 2)] }), true)
    t.same(await doors(), { a: 3, b: 1, c: 1, d: 1 })
  })

  t.test(`${name}: a claim that finds none refuses its event, and nothing of it happens`, async (t) => {
    const { audit, claim, add, doors } = await openWithRows(t, await newPlace())
    const beside = { claims: [claim('a', 1), claim('b', 7)], writes: [add('d')] }
    await t.rejects(audit.append(created('grt_1'), beside), { code: 'STALE' })
    t.equal(await audit.appendRemoval(revoked('grt_1'), beside), false)
    t.same(audit.spooled(), [])
    t.same(await doors(), { a: 1, b: 1, c: 1 })
    t.same((await audit.search({})).events, [])
    await audit.append(created('grt_2'))
    await audit.checkpoint()
    t.match(await audit.verify(), { problems: [] })
  })

  t.test(`${name}: of one commit only those that are refused are missing; the first of two claims wins`, async (t) => {
    const { audit, claim, add, doors } = await openWithRows(t, await newPlace())
    const results = await Promise.allSettled([
      audit.append(created('grt_1'), { claims: [claim('a', 1)] }),
      audit.append(created('grt_2'), { claims: [claim('a', 1)], writes: [add('d')] }),
      audit.append(created('grt_3')),
      // What it took before it was refused is free for the next one.
      audit.append(created('grt_4'), { claims: [claim('b', 1), claim('c', 9)] }),
      audit.append(created('grt_5'), { claims: [claim('b', 1)] }),
      audit.append(created('grt_6'), { claims: [claim('c', 1)], writes: [add('a')] }),
    ])
    t.same(codes(results), ['ok', 'STALE', 'ok', 'STALE', 'ok', 'AUDIT_UNAVAILABLE'])
    t.same(await doors(), { a: 2, b: 2, c: 1 })
    const { events } = await audit.search({})
    t.same(
      events.map(({ fields }) => fields.grant),
      ['grt_5', 'grt_3', 'grt_1'],
    )
  })

  t.test(`${name}: a removal whose event is spooled happens if its claim still holds`, async (t) => {
    const { audit, claim, db, doors } = await openWithRows(t, await newPlace())
    await sql`alter table audit_head rename to away`.execute(db)
    t.equal(await audit.appendRemoval(revoked('grt_1'), { claims: [claim('a', 1)] }), true)
    t.equal(await audit.appendRemoval(revoked('grt_2'), { claims: [claim('b', 1), claim('c', 9)] }), true)
    t.equal(audit.spooled().length, 2)
    t.same(await doors(), { a: 2, b: 1, c: 1 })
    await sql`alter table away rename to audit_head`.execute(db)
  })
}

t.test('PostgreSQL: of two daemons that decide on one row, one is told that it has changed', async (t) => {
  const one = await openWithRows(t, await postgresPlace())
  const other = await openAudit(t, { db: one.db, keysDir: join(one.dir, 'keys') })
  for (let version = 1; version <= 10; version++) {
    const results = await Promise.allSettled([
      one.audit.append(created(`grt_${version}`), { claims: [one.claim('a', version)] }),
      other.audit.append(revoked(`grt_${version}`), { claims: [one.claim('a', version)] }),
    ])
    t.same(codes(results).sort(), ['STALE', 'ok'])
  }
  t.same(await one.doors(), { a: 11, b: 1, c: 1 })
  t.equal((await one.audit.search({})).events.length, 10)
})
