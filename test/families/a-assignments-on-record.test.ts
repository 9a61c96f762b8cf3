/** A3: what is assigned to a column that is called `password` is redacted wherever that is written, and nothing else of the statement. */
import t from 'tap'
import { postgresDialect } from '../../proxy/postgres/sql/find-secrets.ts'
import { startPostgres } from '../sandbox/postgres.ts'
import { redacted } from './a-redacted.ts'

const postgres = await startPostgres()
t.teardown(() => postgres.close())
await postgres.query(
  'orders',
  `create table a3 (name text primary key, password text, note text);
   create function crypt(text, text) returns text language sql as 'select $1 || $2';`,
)

/** `s…` are secrets, everything else is shown. */
async function check(t: { equal(found: string, wanted: string): void }, texts: readonly string[]): Promise<void> {
  for (const text of texts) {
    await postgres.query('orders', text)
    t.equal(redacted(text), text.replaceAll(/''s[0-9]''|'s[0-9]'/g, '[redacted]'))
  }
}

t.test('A3: `SET` lists of UPDATE, in WITH, with rows, in bodies', (t) =>
  check(t, [
    "update a3 set password = 's1' where name = 'bob' and password = 'kept'",
    "update a3 as x set note = 'kept', password = 's1', name = 'kept2' where name = 'bob'",
    "with w as (select 'kept') update a3 set password = 's1' from w where name = 'bob'",
    "with w as (update a3 set password = 's1' where name = 'kept' returning password) select 'kept', password = 'kept' from w",
    "with v as (update a3 set password = 's1'), w as (update a3 set note = 'kept') select 'kept'",
    "update a3 set (note, password) = ('kept', 's1') where name = 'bob'",
    "update a3 set (password, note) = row ('s1', 'kept'), name = 'bob' where name = 'bob'",
    "update a3 set (note, password) = (select 'kept', 's1' from a3 where name = 'kept') where name = 'bob'",
    "update a3 set (note, password) = (('kept'), coalesce(null, 's1', 's2')), name = 'bob' where name = 'bob'",
    "update a3 set password = ('s1')::varchar(20), note = 'kept'",
    "update a3 set password = crypt('s1', concat('s2', 's3')), note = 'kept'",
    "update a3 set password = case when note is null then 's1' else 's2' end, note = 'kept'",
    "update a3 set \"password\" = note || 's1', note = 'kept'",
    "explain (costs off) update a3 set password = 's1' where name = 'kept'",
    "do $$ begin if true then update a3 set password = 's1' where name = 'kept'; end if; end $$",
    "do $$ begin execute 'with w as (update a3 set password = ''s1'') select ''kept'''; end $$",
  ]),
)

t.test('A3: rows of INSERT, ON CONFLICT and MERGE', (t) =>
  check(t, [
    "insert into a3 (name, password) values ('ann', 's1')",
    "insert into a3 (name, password, note) values ('bea', 's1', 'kept'), ('cid', 's2', 'kept') returning 'kept'",
    "insert into public.a3 as x (password, name) select 's1', 'dan' from a3 where name = 'ann'",
    "insert into a3 (name, password) (select 'eve', 's1' union select 'fay', crypt('s2', 's3'))",
    "insert into a3 (name, password) with v as (values ('gus', 's1')) select * from v where 'kept' <> ''",
    "insert into a3 (name, note) values ('ann', 'kept') on conflict (name) do update set password = 's1' where a3.note = 'kept'",
    "insert into a3 (name, password) values ('ann', 's1') on conflict (name) do update set note = 'kept', password = 's2'",
    "merge into a3 using (select 'ann' as n) s on name = n when matched and note = 'kept' then update set password = 's1' when not matched then insert (name, note) values ('kept', 'kept')",
    "merge into a3 using (select 'hal' as n) s on name = n when not matched and n <> 'kept' then insert (name, password) values ('hal', 's1') when matched and note = 'kept' then do nothing",
    "merge into a3 using (select 'hal' as n) s on name = n when matched and n = 'kept' then update set note = 'kept', password = 's1' when matched and n = 'kept' then delete",
    "do $$ begin execute format('insert into a3 (name, password) values (%L, %L)', 'ivy', 's1'); end $$",
    "do $$ begin execute 'insert into a3 (name, password) values (' || quote_literal('jon') || ', ' || quote_literal('s1') || ')'; end $$",
  ]),
)

t.test('A3: parameters in their places are secrets', (t) => {
  for (const text of [
    'with w as (update a3 set note = $1, password = $2 where name = $3) select $4',
    'update a3 set (note, password) = ($1, crypt($2, $2)) where name = $3',
    'insert into a3 (name, password) values ($1, $2) returning $3',
    'insert into a3 (name) values ($1) on conflict (name) do update set password = $2 where a3.note = $3',
  ]) {
    const finder = postgresDialect.findSecrets({ backslashes: false })
    finder.feed(Buffer.from(text), 0, text.length)
    t.same([...finder.finish().parameters], [2], text)
  }
  t.end()
})

t.test('A3: what is no value of a password is shown, and so is what may be code', (t) =>
  check(t, [
    "insert into a3 (name) values ('kept'), ('password') on conflict do nothing",
    "select 'kept' from a3 where password = 'kept' for update",
    "update a3 set note = 'password = ''kept''' where name = 'kept'",
    "update a3 set password = query_to_xml('select ''kept''', true, true, 'kept')::text, note = 'kept'",
    "insert into a3 (name, password) values ('kit', query_to_xml('select 1', true, true, '')::text)",
    "create table a3_b (name text references a3 on update set null, password text default 'kept')",
    "create index on a3 (name, password) where note <> 'kept'; select 'kept'",
    "grant insert (name, password) on a3 to public; select 'kept', 'kept'",
  ]),
)
