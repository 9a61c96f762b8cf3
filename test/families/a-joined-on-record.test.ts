/** A3: passwords in connection strings that are put together, or written with escapes. A real server says what the texts mean. */
import t from 'tap'
import { postgresDialect } from '../../proxy/postgres/sql/find-secrets.ts'
import { startPostgres } from '../sandbox/postgres.ts'
import { redacted } from './a-redacted.ts'

const postgres = await startPostgres()
t.teardown(() => postgres.close())
await postgres.query('orders', "create function dblink(text, text) returns text language sql as 'select $1 || $2'")
await postgres.query('orders', "create function dblink_connect(text) returns text language sql as 'select $1'")

/** In one piece and byte by byte. */
function redactedTwice(text: string): readonly string[] {
  t.match(text, postgresDialect.mayHoldSecret)
  return [undefined, 1].map((size) => redacted(text, false, size))
}

/** `s…` are secrets, everything else is shown. */
async function check(t: { same(found: unknown, wanted: unknown, text: string): void }, texts: readonly string[]) {
  for (const text of texts) {
    await postgres.query('orders', text)
    const wanted = text.replaceAll(/''s[0-9]''|\bs[0-9]/g, '[redacted]')
    t.same(redactedTwice(text), [wanted, wanted], text)
  }
}

const whole = async (t: Parameters<typeof check>[0], texts: Readonly<Record<string, string>>) => {
  for (const [text, wanted] of Object.entries(texts)) {
    await postgres.query('orders', text)
    t.same(redactedTwice(text), [wanted, wanted], text)
  }
}

t.test('A3: a password that stands in another literal than its key', (t) =>
  check(t, [
    "select 'password=' || 's1'",
    "select dblink(concat('password=', 's1'), 'kept')",
    "select dblink('password=' || 's1', 'kept')",
    "select dblink(concat('host=h sslpassword = ', 's1', ' user=u'), 'kept')",
    "select concat('host=h', ' password=', 's1', ' user=', 'kept')",
    "select concat_ws(' ', 'host=h', 'password=s1', 'user=kept')",
    "select 'host=' || current_user || ' password=' || 's1' || ' user=kept'",
    "select concat('passwd=', current_user, 's1', ' user=kept')",
    "select 'password='\n's1'",
    "do $$ declare x text; begin x := 'password=' || 's1' || ' host=kept'; end $$",
    "do $$ begin execute concat('select ''host=h password=', 's1', ' user=kept'''); end $$",
  ]),
)

t.test('A3: a password that is quoted, or goes through a function', (t) =>
  whole(t, {
    "select 'PASSWORD=''' || 's x' || ''' user=kept', 'kept'":
      "select 'PASSWORD=[redacted]' || '[redacted]' || '[redacted] user=kept', 'kept'",
    "select 'host=h password=' || trim('s x'), 'kept'": "select 'host=h password=' || trim([redacted]), 'kept'",
    "select 'password=' || coalesce(null, upper('s')) || ' user=kept'":
      "select 'password=' || coalesce(null, upper([redacted])) || ' user=kept'",
    "do $$ begin execute concat('create role a3_joined password ', quote_literal('s')); drop role a3_joined; end $$":
      "do $$ begin execute concat('create role a3_joined password ', quote_literal([redacted])); drop role a3_joined; end $$",
  }),
)

t.test('A3: what may be code is shown, also within a password, and so is what is none', (t) =>
  check(t, [
    "select 'password=' || query_to_xml('select ''kept''', true, true, '')::text",
    "select 'password=s1' || query_to_xml('select ''kept''', true, true, '')::text || 's2 user=u'",
    "select 'password=', 'kept', replace('kept', 'password=', 'kept')",
    "select dblink('password=', 'kept')",
    "select 'kept' || 'kept' from (values ('password=', 'kept')) v where 'password=' in ('kept', 'kept')",
    "do $$ begin execute 'select 1 -- password=' || E'\\n; select ''kept'''; end $$",
  ]),
)

t.test('A3: escapes in literals and URIs are read', (t) =>
  check(t, [
    "select dblink_connect(U&'host=h pass\\0077ord=s1 user=kept')",
    "select dblink_connect(u&'host=h pass\\+000077ord\\003D s1')",
    "select dblink_connect(E'host=h pass\\167ord=s1 user=kept')",
    "select dblink_connect(E'host=h pass\\x77ord\\075 s1')",
    "select dblink_connect(E'host=h pass\\u0077or\\U00000064=s1')",
    "select U&'kept\\\\', 'host=h password=s1'",
    "do U&'begin create role a3_escaped pass\\0077ord ''s1''; drop role a3_escaped; end'",
    "select 'postgres://h/?pass%77ord=s1&x=kept', 'postgres://h?%70%61%73%73%77%6F%72%64=s2'",
    "select 'postgres://h/?pass%2577ord=kept&%=kept&%zzpassword=kept'",
  ]),
)

t.test('A3: where UESCAPE names another character a connection string goes as a whole, and code is shown', (t) =>
  whole(t, {
    "select dblink_connect(U&'host=h pass!0077ord=s' UESCAPE '!'), 'kept'":
      "select dblink_connect([redacted] UESCAPE '!'), 'kept'",
    "select dblink(U&'pass!0077ord=s' uescape '!', U&'select ''kept''' uescape '!')":
      "select dblink([redacted] uescape '!', U&'select ''kept''' uescape '!')",
    "do U&'begin perform ''kept''; end' UESCAPE '!'": "do U&'begin perform ''kept''; end' UESCAPE '!'",
  }),
)
