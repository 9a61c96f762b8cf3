/** What ran is on record, and passwords are not. A real server is the referee for what a text means. */
import { createHash, createHmac } from 'node:crypto'
import t from 'tap'
import { startEngine } from '../proxy/postgres/engine-fixture.ts'
import { bind, connectRaw, execute, message, parse, query, sync } from '../proxy/postgres/raw-client.ts'
import { digestKey } from '../proxy/relay/scripted-doorman.ts'

const engine = await startEngine()
t.teardown(() => engine.close())
const { seen } = engine
const terminate = message('X')
const hmac = (text: string) => createHmac('sha256', digestKey).update(text).digest('hex')
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

t.beforeEach(() => {
  seen.entries.length = 0
  seen.ends.length = 0
})

type Tap = Parameters<typeof connectRaw>[0]

/** Runs messages, each followed by what the server answers until it is ready again. @returns the entries as they are recorded */
async function record(t: Tap, ...groups: readonly Buffer[]): Promise<readonly Record<string, unknown>[]> {
  const client = await connectRaw(t, engine.port)
  for (const [i, group] of groups.entries()) {
    client.send(group)
    await client.ready(i + 2)
  }
  client.send(terminate)
  await engine.ended(1)
  return seen.entries
}

const secret = 'hunter2-Ã©'

t.test('A3: `DO --password` and a body: what ran is recorded', async (t) => {
  const sql = 'DO --password\n$$ begin raise notice $x$ran$x$; end $$;'
  const [entry] = await record(t, query(sql))
  t.match(entry, { sql, tags: ['DO'] })
  t.notOk(entry?.sqlHmac)
})

t.test('A3: code that looks like a password is recorded, whatever hides it', async (t) => {
  const texts = [
    "do $$ declare password text := 'select 1'; begin execute password; end $$",
    "do /* password = */ 'begin perform 1; end'",
    'do $password$ begin perform 1; end $password$',
    "do $$ begin execute format('select 1 -- password %L', E'\\n; --'); end $$",
    "do $$ begin execute 'select /* alter role x password ' || '*/ 1'; end $$",
    "do $$ begin execute format('select ''password %s''', ''' , ''1'); end $$",
    "create domain pg_temp.password as text; select pg_temp.password 'select 1'",
    "select 'password' as \"password\", 'x' where 'a' <> 'password=b'",
  ]
  const entries = await record(t, ...texts.map((text) => query(text)))
  for (const [i, sql] of texts.entries()) t.match(entries[i], { sql, error: undefined }, sql)
  t.notOk(JSON.stringify(entries).includes('redacted'))
})

t.test('A3: every form in which a password is set, with an HMAC and nothing that tells it', async (t) => {
  const quoted = `'${secret}'`
  const texts: Record<string, string> = {
    [`alter role nobody_here password ${quoted}`]: 'alter role nobody_here password [redacted]',
    [`ALTER USER nobody_here PASSWORD /* c /* ' */ */ ${quoted} LOGIN`]:
      "ALTER USER nobody_here PASSWORD /* c /* ' */ */ [redacted] LOGIN",
    [`create role x with encrypted password --it's\n E'${secret}\\'x' valid until 'infinity'`]:
      "create role x with encrypted password --it's\n [redacted] valid until 'infinity'",
    [`alter role x password U&'${secret}'`]: 'alter role x password [redacted]',
    [`alter role x password $a$${secret}$a$`]: 'alter role x password [redacted]',
    [`alter role x password 'abc'\n'${secret}'`]: 'alter role x password [redacted]\n[redacted]',
    [`alter role x password '${secret}`]: 'alter role x password [redacted]',
    [`alter role x password 'it's ${secret}' login`]: 'alter role x password [redacted]',
    [`alter role x password ${secret}`]: 'alter role x password [redacted]',
    [`create user mapping for x server s options (user 'u', "password" ${quoted})`]: `create user mapping for x server s options (user 'u', "password" [redacted])`,
    [`alter user mapping for x server s options (set password ${quoted})`]:
      'alter user mapping for x server s options (set password [redacted])',
    [`create user mapping for x server s options (user 'u, password ${quoted})`]:
      "create user mapping for x server s options (user 'u, password [redacted]",
    [`create subscription s connection 'host=h password=''${secret} y'' user=u' publication p`]:
      "create subscription s connection 'host=h password=[redacted] user=u' publication p",
    [`select dblink_connect('c', 'host=h password=${secret}')`]:
      "select dblink_connect('c', 'host=h password=[redacted]')",
    [`select nothing('postgresql://u:${secret}@h/db')`]: "select nothing('postgresql://u:[redacted]@h/db')",
    [`do $$ begin alter role nobody_here password ${quoted}; end $$`]:
      'do $$ begin alter role nobody_here password [redacted]; end $$',
    [`do $$ begin execute format('alter role %I password %L', 'nobody_here', ${quoted}); end $$`]:
      "do $$ begin execute format('alter role %I password %L', 'nobody_here', [redacted]); end $$",
    [`do $$ begin execute 'alter role nobody_here password ''' || ${quoted} || ''''; end $$`]:
      "do $$ begin execute 'alter role nobody_here password [redacted]' || '[redacted]' || '[redacted]'; end $$",
  }
  const entries = await record(t, ...Object.keys(texts).map((text) => query(text)))
  for (const [i, [sql, expected]] of Object.entries(texts).entries())
    t.match(entries[i], { sql: expected, sqlHmac: hmac(sql) }, expected)
  const all = JSON.stringify(entries)
  t.notOk(all.includes('hunter2'), 'nowhere, errors included')
  for (const text of [secret, quoted, ...Object.keys(texts)]) t.notOk(all.includes(sha256(text)))
})

t.test('A3: backslashes, as the server reads them now', async (t) => {
  const sql = `alter role nobody_here password 'a\\'${secret}'`
  const hidden = "select '\\', '; alter role x password ', 'shown'"
  const entries = await record(
    t,
    query(hidden),
    query('set standard_conforming_strings to off'),
    query(sql),
    query('set standard_conforming_strings to on'),
    query(hidden),
  )
  t.match(entries[2], { sql: 'alter role nobody_here password [redacted]', sqlHmac: hmac(sql) })
  t.match([entries[0], entries[4]], [{ sql: hidden }, { sql: hidden }], 'and no code is taken for a password')
})

t.test('A3: errors that quote the secret, of Query, Parse, Bind and a value', async (t) => {
  const client = await connectRaw(t, engine.port)
  client.send(query(`alter role x password '${secret}' 5`))
  client.send(parse('', `alter role x password ${secret}`), bind('', ''), execute(''), sync)
  client.send(parse('', `alter role x password $1`, [25]), bind('', '', [Buffer.from(secret)]), execute(''), sync)
  client.send(parse('', 'select $1::int'), bind('', '', [Buffer.from(`https://u:${secret}@h/`)]), execute(''), sync)
  client.send(query(`do $$ begin raise exception 'alter role x password ''%''', '${secret}'; end $$`))
  client.send(query(`do $$ begin execute format('alter role x password %L oops', '${secret}'); end $$`), terminate)
  await engine.ended(1)
  const bound = seen.entries.filter(({ type }) => type === 'bind')
  t.match(bound[1], { sql: 'alter role x password $1', values: [{ redacted: true, hmac: hmac(secret) }] })
  t.match(bound[2], {
    values: [{ text: 'https://u:[redacted]@h/', hmac: hmac(`https://u:${secret}@h/`) }],
    error: { code: '22P02', message: '[redacted]' },
  })
  t.match(seen.entries[0], { error: { code: '42601', message: 'syntax error at or near [redacted]' } })
  const spoken = seen.entries.slice(0, -2)
  t.notOk(JSON.stringify(spoken).includes('hunter2'), JSON.stringify(spoken, null, 1))
})
