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

t.test('A4: blanks, comments and literals before and after a statement leave both of its ends', async (t) => {
  const paddings = [' '.repeat(65_600), `/*${'x'.repeat(70_000)}*/`, `${'--y\n'.repeat(20_000)}`]
  const texts = paddings.map((padding, i) => `${padding}select ${i} as ran`)
  const entries = await record(t, ...texts.map((text) => query(text)), query(`select 'ran'${' '.repeat(70_000)}`))
  for (const [i, text] of texts.entries()) {
    const body = `${text}\0`
    t.match(entries[i], { sqlCut: { bytes: body.length, hmac: hmac(body) }, rows: 1 })
    t.equal(`${entries[i]?.sql}`, text.slice(0, `${entries[i]?.sql}`.length))
    t.ok(`${entries[i]?.sqlTail}`.endsWith(`select ${i} as ran`))
    for (const part of ['sql', 'sqlTail']) t.ok(`${entries[i]?.[part]}`.length >= 8192)
  }
  t.match(entries.at(-1), { sql: /^select 'ran'/ })
})

t.test('A4: each value has its own beginning, however long another one is', async (t) => {
  const long = Buffer.alloc(3_000_000, 'y')
  const sql = 'select length($1::text), $2::text, $3::text'
  const many = Array.from({ length: 5000 }, (_, i) => Buffer.from(`${i}:${'z'.repeat(20)}`))
  const places = many.map((_, i) => `$${i + 1}::text`).join(',')
  const entries = await record(
    t,
    Buffer.concat([parse('', sql), bind('', '', [long, Buffer.from('short'), null]), execute(''), sync]),
    Buffer.concat([parse('', `select array[${places}]`), bind('', '', many), execute(''), sync]),
  )
  const [first, ...rest] = (entries[0]?.values ?? []) as unknown[]
  t.match(first, { text: 'y'.repeat(8192), bytes: 3_000_000, hmac: hmac(long.toString()) })
  t.same(rest, ['short', null])
  const values = entries[1]?.values as (string | { text: string; bytes: number })[]
  t.equal(values.length, 5000)
  values.forEach((value, i) => {
    const text = typeof value === 'string' ? value : value.text
    if (!text.startsWith(`${i}:`)) t.fail(`${i}: ${text}`)
  })
})

t.test('A4: a password in a long text is cut out, and neither sizes nor digests tell it', async (t) => {
  const padding = '/* x */'.repeat(12_000)
  const [one, two] = [`alter role nobody_here password '${secret}'`, "alter role nobody_here password 'z'"]
  const entries = await record(
    t,
    ...[one, two].flatMap((sql) => [query(`${sql}${padding}`), query(`${padding}${sql}`)]),
  )
  t.match(entries[0]?.sql, /^alter role nobody_here password \[redacted\]\/\* x/)
  t.match(entries[1]?.sqlTail, /x \*\/alter role nobody_here password \[redacted\]$/)
  t.notOk(JSON.stringify(entries).includes('hunter2'))
  for (const [i, j] of [
    [0, 2],
    [1, 3],
  ] as const)
    for (const part of ['sql', 'sqlTail'] as const)
      t.equal(`${entries[i]?.[part]}`.length, `${entries[j]?.[part]}`.length)
  const sizes = entries.map(({ sqlCut }) => (sqlCut as { bytes: number }).bytes)
  t.equal(new Set(sizes).size, 1)
})
