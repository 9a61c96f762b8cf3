/** B1: a text is read once, however many of its statements change names, and however often it is executed. */
import t from 'tap'
import { Names } from '../../proxy/postgres/ledger/names.ts'
import { Pending } from '../../proxy/postgres/ledger/pending.ts'
import type { Captured } from '../../proxy/recording/captured.ts'

/** Says how often its text was asked for. */
function counted(text: string): { sql: Captured; reads: () => number } {
  let reads = 0
  const sql = {
    get text() {
      reads += 1
      return text
    },
  }
  return { sql, reads: () => reads }
}

const count = 4000
for (const [what, text, tag] of [
  ['DO', "do 'begin end';".repeat(count), 'DO'],
  ['DO with a backslash', `${`do 'begin end';`.repeat(count - 1)}do 'a\\b'`, 'DO'],
  ['PREPARE', 'prepare a as select 1;'.repeat(count), 'PREPARE'],
  ['CREATE FUNCTION', 'create function f() returns int as $$ $$ language sql;'.repeat(count), 'CREATE FUNCTION'],
] as const)
  t.test(`B1: ${count} times ${what} in one Query`, async (t) => {
    const { sql, reads } = counted(text)
    const names = new Names()
    const pending = new Pending({ kind: 'query', sql }, 0, 0, 0)
    for (let i = 0; i < count; i += 1) {
      names.change(names.changesBy(pending, tag))
      pending.completed += 1
    }
    names.change(names.changesBy(pending))
    t.ok(reads() > 0)
    t.ok(reads() <= 10, `${reads()} reads`)
  })

t.test('B1: one statement that fails each time that it is executed', async (t) => {
  const { sql, reads } = counted(`select 1/0 /* ${'x'.repeat(60_000)} */`)
  const names = new Names()
  names.parse({ name: 's', sql, oids: [] })
  const statement = names.statement('s')
  const before = reads()
  for (let i = 0; i < count; i += 1) {
    names.bind('p', { statement, statementName: 's', values: [], cut: undefined, bytes: 0, rows: 0 })
    names.change(names.changesBy(new Pending({ kind: 'execute', portal: 'p' }, 0, 0, 0)))
  }
  t.ok(reads() > before)
  t.ok(reads() - before <= 10, `${reads() - before} reads`)
})
