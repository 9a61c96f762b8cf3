/** H2: a copy of the store begins and ends under any load, and is of one moment. */
import { statSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { sql } from 'kysely'
import t from 'tap'
import { copierOf, openStore } from '../../src/store/store.ts'

const dir = t.testdir()
const db = await openStore({ url: `sqlite:${path.join(dir, 'store.db')}` })
t.teardown(() => db.destroy())
await sql`create table one (n integer primary key, x blob)`.execute(db)
await sql`create table other (n integer primary key)`.execute(db)
await sql`with recursive c(i) as (select 1 union all select i + 1 from c where i < 3000)
  insert into one select -i, randomblob(4000) from c`.execute(db)

t.test('H2: ten copies while transactions queue up, each of one moment', async (t) => {
  let [isRunning, n] = [true, 0]
  const load = async () => {
    while (isRunning) {
      const next = ++n
      await db.transaction().execute(async (trx) => {
        await sql`insert into one values (${next}, randomblob(100))`.execute(trx)
        await sql`update one set x = randomblob(4000) where n = ${-(next % 3000)}`.execute(trx)
        await sql`insert into other values (${next})`.execute(trx)
      })
    }
  }
  const loads = Array.from({ length: 8 }, load)
  for (let copy = 0; copy < 10; copy++) {
    const target = path.join(dir, `copy-${copy}.db`)
    const before = n
    await copierOf(db)(target)
    t.ok(n > before, 'transactions went on')
    const copied = new DatabaseSync(target)
    t.match(copied.prepare('pragma quick_check(1)').get(), { quick_check: 'ok' })
    const { one, other } = copied
      .prepare('select (select count(*) from one where n > 0) as one, (select count(*) from other) as other')
      .get() as { one: number; other: number }
    t.equal(one, other, `copy ${copy}: all of a transaction or nothing`)
    t.ok(one >= before - 8, 'all that was there when it began')
    copied.close()
  }
  isRunning = false
  await Promise.all(loads)
})

t.test('H2: two copies at once, and one that cannot be written fails alone', async (t) => {
  const paths = ['a.db', 'b.db'].map((name) => path.join(dir, name))
  const [first, second, third] = await Promise.allSettled([
    ...paths.map((target) => copierOf(db)(target)),
    copierOf(db)(path.join(dir, 'nowhere', 'c.db')),
  ])
  t.match([first?.status, second?.status, third?.status], ['fulfilled', 'fulfilled', 'rejected'])
  for (const target of paths) t.ok(statSync(target).size > 0)
  await copierOf(db)(path.join(dir, 'after.db'))
})
