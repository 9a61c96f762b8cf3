/** A5, A6: a portal that a name no longer stands for surely was on record before. A real server is the referee. */
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
const { seen, postgres } = engine

const setUp = [
  'create table ran(what text)',
  'grant all on ran to public',
  "create function ran(what text) returns text language sql volatile as 'insert into ran values ($1) returning $1'",
  "create function planned(what text) returns text language plpgsql immutable as 'begin return ran(what); end'",
]
for (const sql of setUp) await postgres.query('orders', sql)

const harmless = 'do $$ begin null; end $$'
const doPortal = [parse('d', harmless), sync, bind('k', 'd')]
const x = [Buffer.from('by value')]

/** Each runs its own word. */
const mixes: Record<string, readonly Buffer[]> = {
  'a portal, with DO between': [
    ...doPortal,
    parse('', "select ran('between')"),
    bind('a', ''),
    execute('k'),
    execute('a'),
    sync,
  ],
  'a value, with DO between': [
    ...doPortal,
    parse('', 'select ran($1)'),
    bind('a', '', x),
    execute('k'),
    execute('a'),
    sync,
  ],
  'a value of a named statement': [
    ...doPortal,
    parse('n', "select ran('named ' || $1)"),
    bind('a', 'n', x),
    execute('k'),
    execute('a'),
    sync,
  ],
  'DO itself in a named portal': [
    parse('', "do $$ begin perform ran('do'); end $$"),
    bind('a', ''),
    execute('a'),
    sync,
  ],
  'a DO in a named portal that fails afterwards': [
    parse('', "do $$ begin perform ran('kept'); commit; execute 'sel' || 'ect 1/0'; end $$"),
    bind('a', ''),
    execute('a'),
    sync,
  ],
  'planned at Bind, then DO in a Query': [parse('', "select planned('query')"), sync, bind('a', ''), query(harmless)],
  'planned at Bind, then CALL': [
    query('create procedure pg_temp.nothing() language sql as $$ select 1 $$'),
    parse('c', 'call pg_temp.nothing()'),
    sync,
    bind('k', 'c'),
    parse('', "select planned('call')"),
    bind('a', ''),
    execute('k'),
    sync,
  ],
  'planned at Bind, committed, then an Execute of nothing': [
    parse('end', 'commit'),
    parse('', "select planned('committed')"),
    sync,
    bind('k', 'end'),
    bind('a', ''),
    execute('k'),
    execute('nothing'),
    sync,
  ],
  'run by its name in SQL, before the name is another': [
    parse('s', "select ran('old name')"),
    parse('', 'execute s'),
    bind('', ''),
    execute(''),
    close('S', 's'),
    parse('s', 'select 1'),
    bind('', 's'),
    execute(''),
    sync,
  ],
}

const words = ['between', 'by value', 'named by value', 'do', 'kept', 'query', 'call', 'committed', 'old name']

for (const [at, [mix, messages]] of Object.entries(mixes).entries())
  t.test(`A6: ${mix}`, async (t) => {
    seen.entries.length = 0
    seen.ends.length = 0
    await postgres.query('orders', 'truncate ran')
    const client = await connectRaw(t, engine.port)
    await exchange(client, messages)
    client.send(message('X'))
    await engine.ended(1)
    const { rows } = await postgres.query('orders', 'select distinct what from ran')
    t.same(rows, [{ what: words[at] }], 'it ran')
    const word = mix === 'a value of a named statement' ? 'by value' : (words[at] ?? '')
    t.match(JSON.stringify(seen.entries), word)
  })
