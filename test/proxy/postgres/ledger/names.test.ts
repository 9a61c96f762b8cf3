import t from 'tap'
import { Names, type Portal, type Statement } from '../../../../proxy/postgres/ledger/names.ts'

const statement = (name: string, text = 'select 1'): Statement => ({ name, sql: { text }, oids: [] })
const portal = (bytes: number): Portal => ({
  statement: statement('s'),
  statementName: 's',
  values: [],
  cut: undefined,
  bytes,
  rows: 0,
})

t.test('what is too much to remember is refused, so that it is recorded by itself; the unnamed one never is', (t) => {
  const names = new Names({ names: 3, size: 100 })
  for (const name of ['a', 'b', 'c']) t.equal(names.parse(statement(name)), true)
  t.equal(names.parse(statement('d')), false, 'too many')
  t.equal(names.statement('d'), undefined)
  t.equal(names.parse(statement('')), true)
  names.closeStatement('a')
  names.closeStatement('b')
  t.equal(names.parse(statement('d', 'x'.repeat(101))), false, 'too long')
  t.equal(names.parse(statement('d', 'x'.repeat(84))), true)
  t.equal(names.parse(statement('', 'y'.repeat(1000))), true)
  t.equal(names.parse(statement('', 'z')), true, 'the room of the one before is free again')
  t.equal(names.parse(statement('e', 'y')), false, 'names still count')
  for (const name of ['p', 'q']) t.equal(names.bind(name, portal(50)), true)
  t.equal(names.bind('r', portal(1)), false)
  t.equal(names.bind('', portal(1000)), true)
  names.endTransaction()
  t.equal(names.portal('p'), undefined)
  t.equal(names.bind('r', portal(100)), true)
  t.end()
})

t.test('DISCARD ALL and DEALLOCATE ALL forget the statements, other tags don’t', (t) => {
  for (const tag of ['DISCARD ALL', 'DEALLOCATE ALL']) {
    const names = new Names()
    names.parse(statement('a'))
    names.change(names.changesBy(undefined, 'SELECT 1'))
    t.ok(names.statement('a'))
    names.change(names.changesBy(undefined, tag))
    t.equal(names.statement('a'), undefined)
  }
  t.end()
})
