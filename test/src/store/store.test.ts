import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import t from 'tap'
import { openStore } from '../../../src/store/store.ts'

function newUrl(): string {
  return `sqlite:${join(mkdtempSync(join(tmpdir(), 'sallyport-store-')), 'data', 'test.db')}`
}

t.test('what was written is there after the store was closed and opened again', async (t) => {
  const url = newUrl()
  const first = await openStore(url)
  await first.insertInto('settings').values({ key: 'a', value: 'ü\u0000' }).execute()
  await first.destroy()
  const second = await openStore(url)
  t.teardown(() => second.destroy())
  t.same(await second.selectFrom('settings').selectAll().execute(), [{ key: 'a', value: 'ü\u0000' }])
})

t.test('a second daemon on the same file is refused with a message that says so', async (t) => {
  const url = newUrl()
  const first = await openStore(url)
  t.teardown(() => first.destroy())
  await t.rejects(openStore(url), { code: 'STORE_UNAVAILABLE', message: /in use by another daemon/ })
})

t.test('the file is written through: WAL with synchronous FULL', async (t) => {
  const db = await openStore(newUrl())
  t.teardown(() => db.destroy())
  const mode = await sql<{ journal_mode: string }>`pragma journal_mode`.execute(db)
  const synchronous = await sql<{ synchronous: number }>`pragma synchronous`.execute(db)
  t.equal(mode.rows[0]?.journal_mode, 'wal')
  t.equal(synchronous.rows[0]?.synchronous, 2)
})

t.test('a transaction that throws leaves nothing, and the store goes on', async (t) => {
  const db = await openStore(newUrl())
  t.teardown(() => db.destroy())
  const failing = db.transaction().execute(async (trx) => {
    await trx.insertInto('settings').values({ key: 'a', value: '1' }).execute()
    throw new Error('no')
  })
  await t.rejects(failing, { message: 'no' })
  t.same(await db.selectFrom('settings').selectAll().execute(), [])
})

t.test('transactions wait for one another', async (t) => {
  const db = await openStore(newUrl())
  t.teardown(() => db.destroy())
  await db.insertInto('settings').values({ key: 'n', value: '0' }).execute()
  const increment = () =>
    db.transaction().execute(async (trx) => {
      const row = await trx.selectFrom('settings').select('value').where('key', '=', 'n').executeTakeFirstOrThrow()
      await trx
        .updateTable('settings')
        .set({ value: String(Number(row.value) + 1) })
        .where('key', '=', 'n')
        .execute()
    })
  await Promise.all(Array.from({ length: 50 }, increment))
  t.equal((await db.selectFrom('settings').select('value').executeTakeFirstOrThrow()).value, '50')
})

t.test('a wrong statement rejects with its reason', async (t) => {
  const db = await openStore(newUrl())
  t.teardown(() => db.destroy())
  await t.rejects(sql`select * from nowhere`.execute(db), { message: /no such table: nowhere/ })
})

t.test('a url that is no SQLite url is a configuration error that does not show credentials', async (t) => {
  await t.rejects(openStore('postgres://user:hunter2@host/db'), {
    code: 'CONFIG_INVALID',
    message: /^((?!hunter2).)*$/,
  })
})
