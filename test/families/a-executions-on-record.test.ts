/** A3: what EXECUTE gives to a secret parameter is redacted, what it gives to others is shown. A real server runs all of it. */
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

const table = query('create temp table a3x (name text, password text)')
const setting = 'update a3x set password = $1 where name = $2'

/** Sends groups, each of which ends with Sync or a Query. @returns texts that were run, those of EXECUTE only */
async function record(t: Tap, ...groups: readonly (Buffer | readonly Buffer[])[]): Promise<readonly unknown[]> {
  const client = await connectRaw(t, engine.port)
  for (const group of [table, ...groups]) await exchange(client, Buffer.isBuffer(group) ? [group] : group)
  client.send(message('X'))
  await engine.ended(1)
  t.notOk(JSON.stringify(seen.entries).includes('hunter2'), JSON.stringify(seen.entries, null, 1))
  return seen.entries.filter(({ sql }) => /execute/i.test(`${sql}`)).map(({ sql }) => sql)
}

t.test('A3: a statement of the same text, and one of an earlier message', async (t) => {
  const texts = await record(
    t,
    query(`PREPARE p(text, text) AS ${setting}; EXECUTE p('hunter2', 'kept')`),
    query("EXECUTE P ( E'hunter2' , 'kept'); select 'kept'"),
    query("explain (costs off) execute \"p\"(concat('hunter2', $$hunter2$$), 'kept')"),
    query(`prepare r as select $1::text; execute r('kept'); execute p('hunter2'::text, upper('kept'))`),
    query("execute r('kept')"),
  )
  t.same(texts, [
    `PREPARE p(text, text) AS ${setting}; EXECUTE p([redacted], 'kept')`,
    "EXECUTE P ( [redacted] , 'kept'); select 'kept'",
    'explain (costs off) execute "p"(concat([redacted], [redacted]), \'kept\')',
    "prepare r as select $1::text; execute r('kept'); execute p([redacted]::text, upper('kept'))",
    "execute r('kept')",
  ])
})

t.test('A3: prepared by Parse, as text of PREPARE or under its name; executed by Parse', async (t) => {
  const run = (sql: string) => [parse('', sql), bind('', ''), execute(''), sync]
  const texts = await record(
    t,
    run(`prepare p as ${setting}`),
    [parse('Named', setting), sync],
    [parse('shown', 'select $1::text'), sync],
    run("execute p('hunter2', 'kept')"),
    query("execute \"Named\"('hunter2', 'redacted too: a name with capitals is not read')"),
    query("execute shown('kept')"),
    [close('S', 'shown'), parse('shown', setting), sync],
    query("execute shown('hunter2', 'kept')"),
  )
  t.same(texts, [
    "execute p([redacted], 'kept')",
    'execute "Named"([redacted], [redacted])',
    "execute shown('kept')",
    "execute shown([redacted], 'kept')",
  ])
})

t.test('A3: after DEALLOCATE and another PREPARE the new statement counts', async (t) => {
  const texts = await record(
    t,
    query('prepare p as select $1::text, $2::text'),
    query("execute p('kept', 'kept')"),
    query('deallocate p'),
    query(`prepare p as ${setting}`),
    query("execute p('hunter2', 'kept')"),
    query(`deallocate p; prepare p as select $1::text; execute p('kept')`),
    query(`deallocate all; prepare p as ${setting}; execute p('hunter2', 'kept')`),
  )
  t.same(texts, [
    "execute p('kept', 'kept')",
    "execute p([redacted], 'kept')",
    "deallocate p; prepare p as select $1::text; execute p('kept')",
    `deallocate all; prepare p as ${setting}; execute p([redacted], 'kept')`,
  ])
})

t.test('A3: all literals of the arguments, where it is in doubt what the name stands for', async (t) => {
  const texts = await record(
    t,
    query("execute unknown('hunter2', 'hunter2', 5)"),
    query(`prepare p as select $1::text`),
    query(`do $$ begin execute 'deallocate p'; execute 'prepare p as ${setting.replace('$2', "''x''")}'; end $$`),
    query("execute p('hunter2')"),
    query('deallocate p; prepare p as select $1::text'),
    query(`do $$ begin execute 'deallocate p'; end $$; execute p('hunter2')`),
    [query('select 1'), query("execute p('hunter2')")],
    query(`do $$ begin execute 'execute p(''hunter2'')'; exception when others then null; end $$; select 'kept'`),
  )
  t.same(texts, [
    'execute unknown([redacted], [redacted], 5)',
    seen.entries.find(({ tags, sql }) => `${tags}` === 'DO' && `${sql}`.includes('prepare'))?.sql,
    'execute p([redacted])',
    "do $$ begin execute 'deallocate p'; end $$; execute p([redacted])",
    'execute p([redacted])',
    "do $$ begin execute 'execute p([redacted])'; exception when others then null; end $$; select 'kept'",
  ])
})

t.test('A3: EXECUTE of other kinds is shown', async (t) => {
  const texts = [
    "do $$ begin execute format('select %L', 'kept'); execute concat('select ', '1'); end $$",
    "create function pg_temp.a3f() returns trigger language plpgsql as 'begin return new; end'",
    "create trigger a3t before insert on a3x for each row execute function pg_temp.a3f('kept')",
    "grant execute on function pg_temp.a3f() to public; select concat('kept', 'execute')",
  ]
  await record(t, ...texts.map((text) => query(text)))
  t.same(
    seen.entries.slice(1).map(({ sql, error }) => [sql, error]),
    texts.map((text) => [text, undefined]),
  )
})

t.test('A3: what USING gives to the code of an EXECUTE in PL/pgSQL', async (t) => {
  const shown = "begin execute 'select $1::text, $2' using 'kept', 'kept'"
  await record(
    t,
    query(`do $$ begin execute '${setting}' using 'hunter2', 'kept'; ${shown.slice(6)}; end $$`),
    query(
      `do $$ begin execute format('update %I set password = $2 where name = $1', 'a3x') using concat('kept', ''), upper('hunter2'); end $$`,
    ),
    query(`do $$ begin execute 'update a3x ' || 'set password = $1' using 'hunter2'; perform 'kept'; end $$`),
    query(
      `do $$ begin execute 'insert into a3x (name, password) values ($1, $2)' using 'kept', 'hunter2'::text; end $$`,
    ),
    query(`do $$ ${shown}; end $$`),
  )
  t.same(
    seen.entries.slice(1).map(({ sql, error }) => [sql, error]),
    [
      `do $$ begin execute '${setting}' using [redacted], 'kept'; ${shown.slice(6)}; end $$`,
      `do $$ begin execute format('update %I set password = $2 where name = $1', 'a3x') using concat('kept', ''), upper([redacted]); end $$`,
      "do $$ begin execute 'update a3x ' || 'set password = $1' using [redacted]; perform 'kept'; end $$",
      "do $$ begin execute 'insert into a3x (name, password) values ($1, $2)' using 'kept', [redacted]::text; end $$",
      `do $$ ${shown}; end $$`,
    ].map((sql) => [sql, undefined]),
  )
})
