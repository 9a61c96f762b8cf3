import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { inLane } from '../../../src/store/lanes.ts'
import type { StorePlace } from '../../../src/store/place.ts'
import { besideQueue, type Db, isShared, openStore, pingStore } from '../../../src/store/store.ts'
import { bothStores, postgresPlace, sqlitePlace } from './both-stores.ts'

/** What every store promises. */
for (const [name, newPlace] of bothStores) {
  const open = async (t: Test, place?: StorePlace): Promise<Db> => {
    const db = await openStore(place ?? (await newPlace()))
    t.teardown(() => db.destroy())
    return db
  }

  t.test(`${name}: what was written is there after the store was closed and opened again`, async (t) => {
    const place = await newPlace()
    const first = await openStore(place)
    await first.insertInto('settings').values({ key: 'a', value: 'ü \u{1f511}' }).execute()
    await first.destroy()
    const second = await open(t, place)
    t.same(await second.selectFrom('settings').selectAll().execute(), [{ key: 'a', value: 'ü \u{1f511}' }])
  })

  t.test(`${name}: instants are numbers, bytes are bytes, nothing is null`, async (t) => {
    const db = await open(t)
    const row = {
      ...{ id: 'lgn_1', principal_id: 'prn_1', via: 'web', secret_hash: 'ff', acr: null, sid: null, mac: 'm' },
      ...{ authenticated_at: 1_790_000_000_123, created_at: 2 ** 53 - 1, seen_at: -1, expires_at: 0, probe_at: null },
      refresh_token: Buffer.from([0, 1, 255]),
      refreshing_until: null,
    }
    await db.insertInto('logins').values(row).execute()
    const found = await db.selectFrom('logins').selectAll().executeTakeFirstOrThrow()
    t.same({ ...found, refresh_token: Buffer.from(found.refresh_token ?? []) }, row)
    const { n } = await db
      .selectFrom('logins')
      .select((all) => all.fn.countAll<number>().as('n'))
      .executeTakeFirstOrThrow()
    t.equal(n, 1)
  })

  t.test(`${name}: a change says how many rows it changed`, async (t) => {
    const db = await open(t)
    const values = ['a', 'b'].map((key) => ({ key, value: '1' }))
    await db.insertInto('settings').values(values).execute()
    const update = db.updateTable('settings').set({ value: '2' })
    t.equal((await update.executeTakeFirst()).numUpdatedRows, 2n)
    t.equal((await update.where('key', '=', 'c').executeTakeFirst()).numUpdatedRows, 0n)
    t.equal((await db.deleteFrom('settings').where('key', '=', 'a').executeTakeFirst()).numDeletedRows, 1n)
  })

  t.test(`${name}: a store that a newer version has used is refused`, async (t) => {
    const place = await newPlace()
    const first = await openStore(place)
    await sql`insert into kysely_migration (name, timestamp) values ('9999-of-tomorrow', '2030-01-01')`.execute(first)
    await first.destroy()
    await t.rejects(openStore(place), {
      code: 'STORE_UNAVAILABLE',
      message: /newer version, which made 9999-of-tomorrow/,
    })
  })

  t.test(`${name}: a migration that fails leaves nothing of itself, and holds nothing`, async (t) => {
    const place = await newPlace()
    const first = await openStore(place)
    await sql`delete from kysely_migration where name > '0001'`.execute(first)
    await sql`drop table audit_head`.execute(first)
    await first.destroy()
    for (const when of ['once', 'again'])
      await t.rejects(openStore(place), { code: 'STORE_UNAVAILABLE', message: /already exists/ }, when)
  })

  t.test(`${name}: a transaction that throws leaves nothing, and the store goes on`, async (t) => {
    const db = await open(t)
    const failing = db.transaction().execute(async (trx) => {
      await trx.insertInto('settings').values({ key: 'a', value: '1' }).execute()
      throw new Error('no')
    })
    await t.rejects(failing, { message: 'no' })
    t.same(await db.selectFrom('settings').selectAll().execute(), [])
  })

  t.test(`${name}: transactions that lock what they read wait for one another`, async (t) => {
    const db = await open(t)
    await db.insertInto('settings').values({ key: 'n', value: '0' }).execute()
    const increment = () =>
      db.transaction().execute(async (trx) => {
        const lock = trx.updateTable('settings').set({ key: 'n' }).where('key', '=', 'n')
        const { value } = await lock.returning('value').executeTakeFirstOrThrow()
        await trx
          .updateTable('settings')
          .set({ value: String(Number(value) + 1) })
          .where('key', '=', 'n')
          .execute()
      })
    await Promise.all(Array.from({ length: 50 }, increment))
    t.equal((await db.selectFrom('settings').select('value').executeTakeFirstOrThrow()).value, '50')
  })

  t.test(`${name}: a wrong statement rejects with its reason, and the store goes on`, async (t) => {
    const db = await open(t)
    await t.rejects(sql`select * from nowhere`.execute(db), {
      message: /no such table: nowhere|"nowhere" does not exist/,
    })
    t.same(await db.selectFrom('settings').selectAll().execute(), [])
  })

  t.test(`${name}: decisions do not wait for the books, and the books get their turn`, async (t) => {
    const db = await open(t)
    const { promise: held, resolve: free } = Promise.withResolvers<void>()
    const order: string[] = []
    const holders = Array.from({ length: 10 }, () =>
      inLane('books', () => db.connection().execute(() => held.then(() => void order.push('held')))),
    )
    const books = inLane('books', () => sql`select 1`.execute(db)).then(() => order.push('books'))
    if (name === 'SQLite') free() // of one connection there is none to spare
    await sql`select 1`.execute(db).then(() => order.push('decision'))
    free()
    await Promise.all([...holders, books])
    t.ok(order.indexOf('decision') <= (name === 'SQLite' ? 8 : 0))
    t.equal(order.length, 12)
  })

  t.test(`${name}: it answers while all its connections are in use, and not once it is closed`, async (t) => {
    const db = await openStore(await newPlace())
    const { promise: held, resolve: free } = Promise.withResolvers<void>()
    const holders = Array.from({ length: 20 }, () => db.connection().execute(() => held))
    await pingStore(db)
    free()
    await Promise.all(holders)
    await db.destroy()
    await t.rejects(db.selectFrom('settings').selectAll().execute())
  })
}

t.test('the file is written through: WAL with synchronous FULL', async (t) => {
  const db = await openStore(await sqlitePlace())
  t.teardown(() => db.destroy())
  const mode = await sql<{ journal_mode: string }>`pragma journal_mode`.execute(db)
  const synchronous = await sql<{ synchronous: number }>`pragma synchronous`.execute(db)
  t.equal(mode.rows[0]?.journal_mode, 'wal')
  t.equal(synchronous.rows[0]?.synchronous, 2)
})

t.test('a url that is no SQLite url is a configuration error that does not show credentials', async (t) => {
  await t.rejects(openStore({ url: 'postgres://user:hunter2@host/db' }), {
    code: 'CONFIG_INVALID',
    message: /^((?!hunter2).)*$/,
  })
})

t.test('SQLite: a second daemon on the same store is refused with a message that says so', async (t) => {
  const place = await sqlitePlace()
  const first = await openStore(place)
  t.notOk(isShared(first))
  await t.rejects(openStore(place), { code: 'STORE_UNAVAILABLE', message: /in use by another daemon/ })
  await first.destroy()
  await (await openStore(place)).destroy()
})

t.test(
  'PostgreSQL: daemons that start at once on an empty database make its tables once, and all use it',
  async (t) => {
    const place = await postgresPlace()
    const all = await Promise.all(Array.from({ length: 4 }, () => openStore(place)))
    for (const [i, db] of all.entries()) {
      t.teardown(() => db.destroy())
      t.ok(isShared(db))
      await db
        .insertInto('settings')
        .values({ key: `k${i}`, value: 'v' })
        .execute()
      t.equal((await besideQueue(db).selectFrom('settings').selectAll().execute()).length, i + 1)
    }
  },
)
