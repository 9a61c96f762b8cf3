/** Family A: what runs is on record (A1, A2, A5), before a real PostgreSQL. */
import t, { type Test } from 'tap'
import { startEngine, until } from '../proxy/postgres/engine-fixture.ts'
import {
  bind,
  close,
  connectRaw,
  cstring,
  execute,
  int32,
  message,
  parse,
  query,
  sync,
} from '../proxy/postgres/raw-client.ts'
import { quietFor } from '../wait-until.ts'

const engine = await startEngine()
t.teardown(() => engine.close())
const { seen, control, cut } = engine

const sql = (text: string) => engine.postgres.query('orders', text)
await sql('create table ran (name text)')
await sql(`create function note(name text) returns int language plpgsql volatile as
  $$ begin insert into ran values (name); return 1; end $$`)
await sql(`create function planned(name text) returns int language sql immutable as $$ select note(name) $$`)
await sql('grant all on ran to public')

const isIdle = async () =>
  (await sql("select 1 from pg_stat_activity where usename = 'sallyport_rw'")).rows.length === 0

t.beforeEach(async () => {
  await until(isIdle, 'the target has ended what the test before left')
  seen.entries.length = 0
  seen.ends.length = 0
  seen.reserved = 0
  Object.assign(control, { room: Number.POSITIVE_INFINITY, holds: false, route: {} })
  await sql('truncate ran')
})

const ran = async () =>
  (await sql('select name from ran order by name')).rows.map((row) => String(Object.values(row)[0]))
const recordedTexts = () =>
  seen.entries.filter(({ unsent }) => !unsent).map(({ sql: text, values }) => `${text} ${values}`)
const insert = (name: string) => query(`insert into ran values ('${name}')`)
const names = Array.from({ length: 50 }, (_, i) => `n${i}`)

async function allThatRanIsRecorded(t: Test): Promise<string[]> {
  await engine.ended(1)
  t.match(seen.ends, [{ reason: 'recording-failed', error: { code: 'LIMIT_REACHED' } }])
  const found = await ran()
  const texts = recordedTexts()
  for (const name of found)
    t.ok(
      texts.some((text) => text.includes(name)),
      `${name} ran and is recorded`,
    )
  return found
}

t.test('A1: pipelined updates beyond the room of the recording do not run', async (t) => {
  const client = await connectRaw(t, engine.port)
  control.room = 2000
  client.send(...names.map(insert))
  await client.closed
  t.same(await allThatRanIsRecorded(t), [], 'one chunk, which was not forwarded')
  t.equal(seen.ends[0]?.unfinished, undefined, 'so there was nothing to end')
  t.match(client.answers.at(-1)?.body.toString(), /a limit of this access level was reached.*the recording is full/)
  t.ok(
    seen.entries.every(({ unsent }) => unsent),
    'what came with it is marked as not sent',
  )
})

t.test('A1: chunk by chunk: those that had room ran, and are recorded', async (t) => {
  const client = await connectRaw(t, engine.port)
  control.room = 2000
  for (const name of names) {
    client.send(query(`insert into ran select '${name}' from pg_sleep(0.1)`))
    await until(() => client.socket.closed || client.socket.writableLength === 0, 'sent')
    await new Promise(setImmediate)
  }
  await client.closed
  await allThatRanIsRecorded(t)
})

t.test('A1: an Execute needs the room of what it runs, also when its text came long before', async (t) => {
  const client = await connectRaw(t, engine.port)
  client.send(parse('s', `insert into ran values ($1) /* ${'x'.repeat(4000)} */`), sync)
  await client.ready(2)
  control.room = 10_000
  client.send(...names.flatMap((name) => [bind('', 's', [Buffer.from(name)]), execute(''), sync]))
  await client.closed
  t.same(await allThatRanIsRecorded(t), [])
  t.match(seen.entries.at(-1), { type: 'bind', sql: /x{4000}/, unsent: true }, 'the one that had no room')
})

t.test('A1: what waits for its answer when the room runs out is recorded', async (t) => {
  const client = await connectRaw(t, engine.port)
  client.send(query("insert into ran select 'first' from pg_sleep(0.5)"))
  await until(() => seen.reserved > 0, 'the first is forwarded')
  control.room = seen.reserved
  client.send(insert('second'))
  await client.closed
  await engine.ended(1)
  t.match(
    seen.entries.map(({ sql: text, unfinished, unsent }) => [text, unfinished ?? false, unsent ?? false]),
    [
      [/first/, true, false],
      [/second/, false, true],
    ],
  )
})

t.test('A1: every reservation is given back', async (t) => {
  const client = await connectRaw(t, engine.port)
  client.send(query('select 1'), query('select nothing'), parse('', 'select $1::int'), bind('', '', [Buffer.from('7')]))
  client.send(execute(''), close('S', ''), sync, parse('', 'select bad'), bind('', ''), execute(''), sync)
  client.send(message('F', int32(1598), Buffer.from([0, 0, 0, 0, 0, 0])), query('copy ran from stdin'))
  await client.ready(6)
  client.send(message('d', cstring('x')), message('c'))
  await client.ready(7)
  t.equal(seen.reserved, 0)
})

t.test('A1: what follows a COPY FROM STDIN in its chunk is recorded, though the session ends at it', async (t) => {
  const client = await connectRaw(t, engine.port)
  client.send(query('copy ran from stdin'), query("delete from ran where name = 'behind'"))
  await client.closed
  await engine.ended(1)
  t.match(seen.entries, [
    { sql: 'copy ran from stdin', unfinished: true },
    { sql: /behind/, unfinished: true },
  ])
})

t.test('A2: what still runs is on file at the next flush, and its end has the same number', async (t) => {
  const client = await connectRaw(t, engine.port)
  client.send(query("insert into ran select 'slow' from pg_sleep(0.4)"))
  await until(() => !control.flush() && seen.entries.length > 0, 'the flush has written it')
  t.match(seen.entries, [{ type: 'query', sql: /slow/, request: 1, begun: true }])
  await client.ready(2)
  t.match(seen.entries[1], { sql: /slow/, request: 1, tags: ['INSERT 0 1'] })
  t.notOk('begun' in (seen.entries[1] ?? {}))
})

t.test('A2: with values, in the extended protocol, before the server has accepted any of it', async (t) => {
  const client = await connectRaw(t, engine.port)
  client.send(query('select pg_sleep(0.4)'))
  client.send(parse('', 'insert into ran values ($1)'), bind('', '', [Buffer.from('queued')]), execute(''), sync)
  await until(() => !control.flush() && seen.entries.length >= 4, 'the flush has written all')
  t.match(seen.entries, [
    { type: 'query', begun: true },
    { type: 'parse', sql: 'insert into ran values ($1)', begun: true },
    { type: 'bind', values: ['queued'], begun: true },
    { type: 'execute', begun: true },
  ])
  await client.ready(3)
  t.match(seen.entries.at(-1), { type: 'execute', sql: /insert/, values: ['queued'], request: 4 })
})

t.test('A2: an Execute behind another Bind of its portal does not show the old text', async (t) => {
  const client = await connectRaw(t, engine.port)
  client.send(parse('', "select 'old'"), bind('', ''), execute(''), sync)
  await client.ready(2)
  seen.entries.length = 0
  client.send(query('select pg_sleep(0.3)'), parse('', "select 'new'"), bind('', ''), execute(''), sync)
  await until(() => !control.flush() && seen.entries.length >= 4, 'the flush has written all')
  t.notMatch(JSON.stringify(seen.entries), /old/)
  await client.ready(4)
})

t.test('A2: a short statement has one entry', async (t) => {
  const client = await connectRaw(t, engine.port)
  client.send(query('select 1'))
  await client.ready(2)
  control.flush()
  t.equal(seen.entries.length, 1)
})

t.test('A2: strict: nothing is forwarded before it is on file', async (t) => {
  control.strict = true
  control.holds = true
  const client = await connectRaw(t, engine.port)
  client.send(insert('one'), parse('', "insert into ran values ('two')"), bind('', ''), execute(''), sync)
  await until(() => seen.entries.length === 4, 'written')
  await quietFor(50, 'it is not forwarded')
  t.same(await ran(), [])
  control.written()
  await client.ready(3)
  t.same(await ran(), ['one', 'two'])
  client.send(insert('three'))
  await until(() => seen.entries.some(({ sql: text }) => String(text).includes('three')), 'written')
  await cut()
  control.written()
  await client.closed
  await engine.ended(1)
  t.same(await ran(), ['one', 'two'], 'cut before it was on file')
  t.match(seen.entries.at(-1), { sql: /three/, unsent: true })
  t.equal(seen.ends[0]?.unfinished, undefined)
  control.strict = false
})

t.test('A5: a Bind that no Execute follows is recorded: planning it may run functions', async (t) => {
  const client = await connectRaw(t, engine.port)
  client.send(parse('', "select planned('unnamed')"), bind('', ''), sync)
  await client.ready(2)
  t.match(seen.entries, [{ type: 'bind', sql: "select planned('unnamed')" }])
  client.send(parse('s', "select planned('named')"), bind('p', 's'), close('P', 'p'), sync)
  await client.ready(3)
  t.match(seen.entries[1], { type: 'bind', statement: 's', portal: 'p', sql: "select planned('named')" })
  client.send(parse('', "select planned('again')"), bind('', ''), bind('', ''), execute(''), sync)
  await client.ready(4)
  t.match(
    seen.entries.slice(2).map(({ type }) => type),
    ['bind', 'execute'],
  )
  for (const name of await ran()) t.match(JSON.stringify(seen.entries), name)
  client.send(parse('', "select planned('left')"), bind('', ''), message('H'))
  await until(() => client.answers.at(-1)?.type === '2', 'bound')
  client.socket.destroy()
  await engine.ended(1)
  t.match(seen.entries.at(-1), { type: 'bind', sql: "select planned('left')" })
})
