import t from 'tap'
import { addUse, noUse, useOfEntry } from '../../../src/recordings/recorded-use.ts'

const query = (sql: string, tags: readonly string[], more = {}) => ({
  at: 1,
  type: 'query',
  sql,
  tags,
  rows: 0,
  ...more,
})

/** Entries as engines write them, with [requests, reads, writes, rows]. */
const cases: readonly (readonly [entry: unknown, counts: readonly number[]])[] = [
  // PostgreSQL: tags as the server sends them.
  [query('select 1', ['SELECT 1'], { rows: 1 }), [1, 1, 0, 1]],
  [query('select 1; select 2', ['SELECT 1', 'SELECT 1'], { rows: 2 }), [2, 2, 0, 2]],
  [query('begin; update t set a = 1; commit', ['BEGIN', 'UPDATE 3', 'COMMIT']), [3, 0, 1, 0]],
  [{ type: 'execute', sql: 'delete from t', tags: ['DELETE 2'], rows: 0 }, [1, 0, 1, 0]],
  [query('with gone as (delete from t returning *) select * from gone', ['SELECT 9'], { rows: 9 }), [1, 0, 1, 9]],
  [query('select * into u from t', ['SELECT 9']), [1, 0, 1, 0]],
  [query('explain select 1', ['EXPLAIN'], { rows: 1 }), [1, 1, 0, 1]],
  [query('explain analyze update t set a = 1', ['EXPLAIN'], { rows: 1 }), [1, 0, 1, 1]],
  [query('copy t to stdout', ['COPY 5'], { copyOut: {}, rows: 0 }), [1, 1, 0, 0]],
  [query('copy t from stdin', ['COPY 5'], { copyIn: {} }), [1, 0, 1, 0]],
  [query('do $$ begin end $$', ['DO']), [1, 0, 1, 0]],
  [query('set search_path = a', ['SET']), [1, 0, 0, 0]],
  [query('create table t ()', ['CREATE TABLE']), [1, 0, 1, 0]],
  [{ type: 'function-call', function: 17, rows: 0 }, [1, 0, 1, 0]],
  [query('select 1/0', [], { error: { code: '22012', message: 'division by zero' } }), [1, 0, 0, 0]],
  [{ type: 'execute', sqlUnknown: true, tags: ['SELECT 4'], rows: 4 }, [1, 1, 0, 4]],
  // MySQL says ROWS of a result and OK of the rest.
  [query('select 1', ['ROWS 1'], { rows: 1 }), [1, 1, 0, 1]],
  [query('/* hint */ -- x\ninsert into t values (1)', ['OK 1']), [1, 0, 1, 0]],
  [query('set @a = 1', ['OK 0']), [1, 0, 0, 0]],
  [query('set @a = 1; delete from t', ['OK 0', 'OK 5']), [2, 0, 2, 0]],
  [query('select * from t for update', ['ROWS 1'], { rows: 1 }), [1, 0, 1, 1]],
  [query('call nightly()', ['ROWS 2'], { rows: 2 }), [1, 0, 1, 2]],
  [{ type: 'fetch', rows: 100, tags: ['ROWS 100'] }, [0, 0, 0, 100]],
  // A cluster.
  [{ type: 'request', id: 1, verb: 'list' }, [1, 1, 0, 0]],
  [{ type: 'request', id: 2, verb: 'patch' }, [1, 0, 1, 0]],
  [{ type: 'request', id: 3, verb: 'delete', refused: 'no level allows it' }, [1, 0, 0, 0]],
  [{ type: 'response', id: 1, status: 200 }, [0, 0, 0, 0]],
  // What is no statement.
  [{ type: 'query', sql: 'select 1', request: 1, begun: true }, [0, 0, 0, 0]],
  [query('select 1', [], { unsent: true }), [0, 0, 0, 0]],
  [{ type: 'parse', sql: 'delete from t' }, [0, 0, 0, 0]],
  [{ type: 'output', text: 'rm -rf' }, [0, 0, 0, 0]],
  [{ unreadable: '{' }, [0, 0, 0, 0]],
  [null, [0, 0, 0, 0]],
  ['text', [0, 0, 0, 0]],
]

t.test('what an entry of a recording counts as', async (t) => {
  for (const [entry, counts] of cases) {
    const { requests, reads, writes, rows } = useOfEntry(entry)
    t.same([requests, reads, writes, rows], counts, JSON.stringify(entry))
  }
})

t.test('counts add up', async (t) => {
  const total = cases.map(([entry]) => useOfEntry(entry)).reduce(addUse, noUse)
  t.ok(total.requests > total.reads + total.writes)
})
