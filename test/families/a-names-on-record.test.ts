/** What a name of a prepared statement stands for: recorded as the server ran it, or as unknown. A real server is the referee. */
import t from 'tap'
import { startEngine } from '../proxy/postgres/engine-fixture.ts'
import {
  bind,
  close,
  connectRaw,
  exchange,
  execute,
  message,
  parse,
  query,
  sync,
} from '../proxy/postgres/raw-client.ts'

const engine = await startEngine()
t.teardown(() => engine.close())
const { seen } = engine

t.beforeEach(() => {
  seen.entries.length = 0
  seen.ends.length = 0
})

type Tap = Parameters<typeof connectRaw>[0]
type Entry = Readonly<Record<string, unknown>>

/** Sends groups, each of which ends with Sync or a Query. */
async function record(t: Tap, ...groups: readonly Buffer[][]): Promise<{ entries: readonly Entry[]; rows: string[] }> {
  const client = await connectRaw(t, engine.port)
  for (const group of groups) await exchange(client, group)
  client.send(message('X'))
  await engine.ended(1)
  const rows = client.answers.filter(({ type }) => type === 'D').map(({ body }) => body.toString('latin1', 6))
  return { entries: seen.entries, rows }
}

const run = (name: string, values: readonly Buffer[] = []) => [bind('', name, values), execute(''), sync]
const executed = (entries: readonly Entry[]) => entries.filter(({ type }) => type === 'execute')

t.test('A6: `deallocate foo; prepare foo as …`: what runs then is recorded', async (t) => {
  const change = 'Deallocate Prepare "foo" /* ; */; prepare FOO (text) as select \'new; text\' -- foo\n'
  const { entries, rows } = await record(
    t,
    [parse('foo', "select 'old'"), sync],
    run('foo'),
    [query(change)],
    run('foo', [Buffer.from('x')]),
  )
  t.same(rows, ['old', 'new; text'])
  t.match(executed(entries), [
    { statement: 'foo', sql: "select 'old'" },
    { statement: 'foo', sql: "select 'new; text'", values: ['x'] },
  ])
})

t.test(
  'A6: the same by the extended protocol, within a failed transaction, and after an error in the text',
  async (t) => {
    const { entries, rows } = await record(
      t,
      [parse('foo', "select 'old'"), parse('', 'deallocate foo'), bind('', ''), execute(''), sync],
      [parse('', "prepare foo as select 'two'"), ...run('')],
      run('foo'),
      [query("begin; deallocate foo; prepare foo as select 'three'; select 1/0; prepare foo as select 'never'")],
      [query('rollback')],
      run('foo'),
      [query('discard plans')],
      run('foo'),
      [query('discard all')],
      run('foo'),
    )
    t.same(rows, ['two', 'three', 'three'])
    const runs = entries.filter(({ statement }) => statement === 'foo')
    t.match(
      runs.map(({ type, sql, sqlUnknown, error }) => [type, sql ?? sqlUnknown, (error as { code?: string })?.code]),
      [
        ['parse', "select 'old'", undefined],
        ['execute', "select 'two'", undefined],
        ['execute', "select 'three'", undefined],
        ['execute', "select 'three'", undefined],
        ['bind', true, '26000'],
      ],
    )
  },
)

t.test(
  'A6: out of sight, in DO, in built code, in a DO that fails, in a function: the text is not known',
  async (t) => {
    const code = "execute 'deallocate foo'; execute 'prepare foo as select ''new'''"
    const hidden: Record<string, readonly string[]> = {
      DO: [`do $$ begin ${code}; end $$`],
      'built code': [
        "do $$ begin execute 'deal' || 'locate foo'; execute replace('prexare foo as select ''new''', 'x', 'p'); end $$",
      ],
      'a DO that fails': [`do $$ begin ${code}; raise exception 'no'; end $$`],
      'a function': [
        `create function pg_temp.renew() returns void language plpgsql as $$ begin ${code}; end $$`,
        'select pg_temp.renew()',
      ],
      'a text read in two ways': ["select '\\'; deallocate foo; prepare foo as select 'new'; select ''"],
    }
    for (const [how, texts] of Object.entries(hidden)) {
      seen.entries.length = 0
      seen.ends.length = 0
      const { entries, rows } = await record(
        t,
        [parse('foo', "select 'old'"), sync],
        ...texts.map((text) => [query(text)]),
        run('foo'),
      )
      t.ok(['new', 'old'].includes(rows.at(-1) ?? ''), how)
      t.match(executed(entries), [{ statement: 'foo', sql: undefined, sqlUnknown: true }], how)
    }
  },
)

t.test('A6: a statement that only SQL runs by its name is on record too', async (t) => {
  const { entries, rows } = await record(
    t,
    [parse('foo', "select 'by name'"), sync],
    [query('execute foo')],
    [parse('bar', 'select 2'), query("do $$ begin execute 'exec' || 'ute bar'; end $$")],
    [parse('both', 'select 3'), bind('', 'both'), execute(''), sync],
  )
  t.same(rows, ['by name', '3'])
  t.match(entries, [
    { type: 'parse', statement: 'foo', sql: "select 'by name'" },
    { type: 'query', sql: 'execute foo' },
    { type: 'parse', statement: 'bar', sql: 'select 2' },
    { type: 'query' },
    { type: 'execute', statement: 'both', sql: 'select 3' },
  ])
  t.equal(entries.length, 5, 'and none twice')
})

t.test(
  'A6: names that the server cuts, a cursor with the name of a portal, the unnamed statement after a Query',
  async (t) => {
    const name = 'n'.repeat(63)
    const { entries, rows } = await record(
      t,
      [parse(`${name}x`, "select 'old'"), close('S', name), parse(name, "select 'new'"), ...run(`${name}y`)],
      [query('begin')],
      [parse('', "select 'portal'"), bind('p', ''), sync],
      [query("close p; declare p cursor for select 'cursor'")],
      [execute('p'), sync],
      [query('commit')],
      [parse('', "select 'old'"), sync],
      [query('select')],
      run(''),
    )
    t.same(rows.slice(0, 2), ['new', 'cursor'])
    const [cut, cursor] = executed(entries)
    t.match(cut, { sql: "select 'new'" })
    t.match(cursor, { portal: 'p', sql: undefined, sqlUnknown: true })
    t.match(entries.at(-1), { type: 'bind', sql: undefined, sqlUnknown: true, error: { code: '26000' } })
  },
)

t.test('A6: what the server skips after a Parse that fails has the text of that Parse', async (t) => {
  const { entries } = await record(
    t,
    [parse('', 'select 1'), ...run('')],
    [parse('', 'select nonsense()'), bind('', '', [Buffer.from('x')]), execute(''), sync],
  )
  t.match(entries.slice(1), [
    { type: 'parse', sql: 'select nonsense()', error: {} },
    { type: 'bind', sql: 'select nonsense()', values: ['x'], skipped: true },
  ])
})

t.test('A6: an update that SQL prepared keeps the secret that is bound to it', async (t) => {
  const { entries } = await record(
    t,
    [query('create temp table u (password text); prepare foo(text) as update u set password = $1')],
    run('foo', [Buffer.from('hunter2')]),
  )
  t.match(executed(entries), [{ sql: 'update u set password = $1', values: [{ redacted: true }] }])
  t.notOk(JSON.stringify(entries).includes('hunter2'))
})

t.test('A6: a body of SQL has semicolons that end no statement: what is named behind it is not known', async (t) => {
  const rename = "prepare a as select 'shown'; deallocate a; prepare a as select 'run'"
  const texts: Record<string, string> = {
    'a function': `create function pg_temp.f() returns int begin atomic select 1; select 2; end; ${rename}`,
    'a procedure': `create procedure pg_temp.p() Begin/**/ATOMIC select 1; select 2; end; ${rename}`,
    'with an error behind it': `create function pg_temp.f() returns int begin atomic select 1; select 2; end; ${rename}; select 1/0`,
  }
  for (const [how, text] of Object.entries(texts)) {
    seen.entries.length = 0
    seen.ends.length = 0
    const { entries, rows } = await record(t, [query(text)], run('a'))
    t.equal(rows.at(-1), 'run', how)
    t.match(executed(entries), [{ statement: 'a', sql: undefined, sqlUnknown: true }], how)
  }
})

t.test('A6: a column or name called atomic changes nothing where it is quoted or in parentheses', async (t) => {
  const { entries, rows } = await record(
    t,
    [query(`create temp table t (atomic int); prepare a as select 'x' as "atomic" from (select 1 as atomic) s`)],
    run('a'),
  )
  t.same(rows, ['x'])
  t.match(executed(entries), [{ statement: 'a', sql: `select 'x' as "atomic" from (select 1 as atomic) s` }])
})
