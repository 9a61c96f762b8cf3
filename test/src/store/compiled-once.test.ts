import { sql } from 'kysely'
import t from 'tap'
import { columnsCompiledOnce, compiledOnce, insertCompiledOnce } from '../../../src/store/compiled-once.ts'
import { openStore } from '../../../src/store/store.ts'

const db = await openStore({ url: 'sqlite::memory:' })
t.teardown(() => db.destroy())

t.test('is built once, and has the parameters of each time', (t) => {
  let built = 0
  const byId = compiledOnce((id: string) => {
    built++
    return db.selectFrom('grants').selectAll().where('id', '=', id).compile()
  })
  const first = byId('grt_1')
  const second = byId('grt_2')
  t.equal(built, 1)
  t.equal(second.sql, first.sql)
  t.same([first.parameters, second.parameters], [['grt_1'], ['grt_2']])
  t.end()
})

t.test('inserts of as many rows are the same statement, nulls are parameters too', (t) => {
  let built = 0
  const texts = insertCompiledOnce<{ seq: number; salt: string; text: string | null }>(
    ['seq', 'salt', 'text'],
    (rows) => {
      built++
      return db
        .insertInto('audit_texts')
        .values([...rows] as never)
        .compile()
    },
  )
  const one = { seq: 1, salt: 'a', text: null }
  const two = { seq: 2, salt: 'b', text: 'c' }
  t.same(texts([one]).parameters, [1, 'a', null])
  t.same(texts([two]).parameters, [2, 'b', 'c'])
  t.equal(built, 1)
  const both = texts([one, two])
  t.same(both.parameters, [1, 'a', null, 2, 'b', 'c'])
  t.equal(built, 2)
  t.match(both.sql, /values \(\?, \?, \?\), \(\?, \?, \?\)/)
  t.end()
})

t.test('values of the same columns are the same statement, in the order in which they come', (t) => {
  let built = 0
  const update = columnsCompiledOnce((set: { state?: string; version?: number }, id: string) => {
    built++
    return db.updateTable('grants').set(set).where('id', '=', id).compile()
  })
  const [both, again] = [update({ state: 'a', version: 1 }, 'grt_1'), update({ state: 'b', version: 2 }, 'grt_2')]
  t.equal(built, 1)
  t.equal(again.sql, both.sql)
  t.same(
    [both.parameters, again.parameters],
    [
      ['a', 1, 'grt_1'],
      ['b', 2, 'grt_2'],
    ],
  )
  t.same(
    update({ version: 3, state: 'c' }, 'grt_3').parameters,
    [3, 'c', 'grt_3'],
    'another order is another statement',
  )
  t.match(update({ version: 4 }, 'grt_4').sql, /set "version" = \? where/)
  t.equal(built, 3)
  t.end()
})

t.test('a statement that would keep a value of its first time is refused', (t) => {
  const kept = compiledOnce((id: string) => sql`select ${id}, ${'kept'}`.compile(db))
  t.throws(() => kept('a'), /the parameters are not those that were given/)
  const otherWay = insertCompiledOnce<{ seq: number; salt: string; text: string }>(['text', 'salt', 'seq'], (rows) =>
    db
      .insertInto('audit_texts')
      .values([...rows])
      .compile(),
  )
  t.throws(() => otherWay([{ seq: 1, salt: 'a', text: 'b' }]), /the parameters are not those/)
  t.end()
})
