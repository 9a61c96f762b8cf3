import t from 'tap'
import { asOneStatement } from '../../../src/store/one-statement.ts'
import { openStore, transactOn } from '../../../src/store/store.ts'
import { postgresPlace } from './both-stores.ts'

const db = await openStore(await postgresPlace())
t.teardown(() => db.destroy())

const setting = (name: string, value: string) => db.insertInto('settings').values({ key: name, value }).compile()
const subject = (name: string, seq: number) => db.insertInto('audit_subjects').values({ subject: name, seq }).compile()

t.test('writes are one statement, each with its own parameters', async (t) => {
  const [one, ...others] = asOneStatement([subject('a', 1), setting('$1 as it is', 'b'), subject('c', 2)])
  t.same(others, [])
  if (!one) throw new Error('there is one')
  t.same(one.parameters, ['a', 1, '$1 as it is', 'b', 'c', 2])
  await transactOn(db)([], () => [one])
  t.same(await db.selectFrom('audit_subjects').selectAll().orderBy('seq').execute(), [
    { subject: 'a', seq: 1 },
    { subject: 'c', seq: 2 },
  ])
  const { value } = await db
    .selectFrom('settings')
    .select('value')
    .where('key', '=', '$1 as it is')
    .executeTakeFirstOrThrow()
  t.equal(value, 'b')
})

t.test('when one of them is refused, none is made', async (t) => {
  const [one] = asOneStatement([subject('d', 3), setting('$1 as it is', 'again')])
  if (!one) throw new Error('there is one')
  await t.rejects(
    transactOn(db)([], () => [one]),
    /duplicate key/,
  )
  t.same(await db.selectFrom('audit_subjects').selectAll().where('seq', '=', 3).execute(), [])
})

t.test('none, one, and more than one statement can take, are left as they are', (t) => {
  t.same(asOneStatement([]), [])
  const one = subject('a', 1)
  t.same(asOneStatement([one]), [one])
  const large = { ...one, parameters: Array.from({ length: 30_000 }, () => 'x') }
  t.same(asOneStatement([large, one]), [large, one])
  t.end()
})
