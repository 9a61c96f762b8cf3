import { CompiledQuery } from 'kysely'
import t from 'tap'
import { openStore, transactAtOnceOn, transactOn } from '../../../src/store/store.ts'

const db = await openStore({ url: 'sqlite::memory:' })
t.teardown(() => db.destroy())
await db.executeQuery(CompiledQuery.raw('create table counted (id text primary key, n integer not null)'))
await db.executeQuery(CompiledQuery.raw(`insert into counted values ('a', 0), ('b', 0)`))
const atOnce = transactAtOnceOn(db)
if (!atOnce) throw new Error('SQLite takes it')

const raise = (id: string) => CompiledQuery.raw('update counted set n = n + 1 where id = ? returning id, n', [id])
const add = (id: string) => CompiledQuery.raw('insert into counted values (?, 0)', [id])
const rows = async () => (await db.executeQuery(CompiledQuery.raw('select * from counted order by id'))).rows

t.test('claims that all find a row: everything is written, and what they returned is told', async (t) => {
  t.same(await atOnce([raise('a'), raise('b')], [add('c')]), [[{ id: 'a', n: 1 }], [{ id: 'b', n: 1 }]])
  t.same(await rows(), [
    { id: 'a', n: 1 },
    { id: 'b', n: 1 },
    { id: 'c', n: 0 },
  ])
})

t.test('one that finds none: nothing is written', async (t) => {
  const before = await rows()
  t.same(await atOnce([raise('a'), raise('nobody'), raise('b')], [add('d')]), [
    [{ id: 'a', n: 2 }],
    [],
    [{ id: 'b', n: 2 }],
  ])
  t.same(await rows(), before)
})

t.test('a statement that fails: nothing is written, and the next transaction begins anew', async (t) => {
  const before = await rows()
  await t.rejects(atOnce([raise('a')], [add('d'), add('a')]), { code: /^SQLITE_/ })
  t.same(await rows(), before)
  await transactOn(db)([raise('a')], () => [])
  t.match(await rows(), [{ id: 'a', n: 2 }])
})

t.test('without claims and without writes', async (t) => {
  t.same(await atOnce([], [add('e')]), [])
  t.match((await rows()).at(-1), { id: 'e' })
  t.same(await atOnce([raise('e')], []), [[{ id: 'e', n: 1 }]])
})
