/** What is recorded is what the server ran, also for clients that speak the protocol as no driver does. A real server is the referee. */
import { createHmac } from 'node:crypto'
import t from 'tap'
import { digestKey } from '../relay/scripted-doorman.ts'
import { startEngine, until } from './engine-fixture.ts'
import {
  bind,
  close,
  connectRaw,
  copyData,
  copyDone,
  cstring,
  describe,
  execute,
  int32,
  lastError,
  message,
  parse,
  query,
  type RawClient,
  sync,
} from './raw-client.ts'

const engine = await startEngine()
t.teardown(() => engine.close())
const { seen, control } = engine

t.beforeEach(() => {
  seen.entries.length = 0
  seen.ends.length = 0
  control.route = {}
})

const terminate = message('X')
const came = ({ answers }: RawClient, type: string) => until(() => answers.at(-1)?.type === type, `${type} came`)

t.test('after an error the server leaves out everything up to Sync, a simple query too', async (t) => {
  const client = await connectRaw(t, engine.port)
  client.send(parse('', 'select nonsense()'))
  client.send(message('H'))
  await came(client, 'E') // the error has come: what follows is sent in the state that it left
  client.send(query("select 'left out'"), parse('', 'select 7'), sync)
  await client.ready(2)
  client.send(query("select 'ran' from generate_series(1, 3)"))
  await client.ready(3)
  client.send(terminate)
  await engine.ended(1)
  t.match(seen.entries, [
    { type: 'parse', sql: 'select nonsense()', error: { code: '42883' } },
    { type: 'query', sql: "select 'left out'", skipped: true, rows: 0 },
    { type: 'parse', sql: 'select 7', skipped: true },
    { type: 'query', sql: /'ran'/, rows: 3, tags: ['SELECT 3'] },
  ])
  t.equal(seen.entries.length, 4, 'and nothing is left over')
})

t.test('the same in one write, in every split of it', async (t) => {
  const all = Buffer.concat([parse('', 'select nonsense()'), query("select 'left out'"), sync, query("select 'ran'")])
  const client = await connectRaw(t, engine.port)
  let readies = 1
  for (let cut = 0; cut <= all.length; cut += 7) {
    client.socket.write(all.subarray(0, cut))
    await new Promise((resolve) => setImmediate(resolve))
    client.socket.write(all.subarray(cut))
    readies += 2
    await client.ready(readies)
  }
  client.send(terminate)
  await engine.ended(1)
  const said = seen.entries.map(({ sql, skipped, error, rows }) => [sql, skipped ?? false, error !== undefined, rows])
  for (let i = 0; i < said.length; i += 3)
    t.same(said.slice(i, i + 3), [
      ['select nonsense()', false, true, 0],
      ["select 'left out'", true, false, 0],
      ["select 'ran'", false, false, 1],
    ])
})

t.test('a transaction that fails at Sync is recorded as failed', async (t) => {
  const client = await connectRaw(t, engine.port)
  client.send(query('create temp table late (n int, unique (n) deferrable initially deferred)'))
  await client.ready(2)
  client.send(parse('', 'insert into late values (1), (1)'), bind('', ''), execute(''), sync)
  t.match(await client.ready(3), /12CEZ$/)
  client.send(terminate)
  await engine.ended(1)
  t.match(seen.entries.at(-2), { type: 'execute', tags: ['INSERT 0 2'] })
  t.match(seen.entries.at(-1), { type: 'commit', error: { code: '23505' } })
})

t.test('binary values are recorded as what they mean', async (t) => {
  const client = await connectRaw(t, engine.port)
  const uuid = Buffer.from('00112233445566778899aabbccddeeff', 'hex')
  const values = [
    Buffer.from([0xff, 0xfe]),
    int32(-5),
    Buffer.from('7fffffffffffffff', 'hex'),
    Buffer.from([1]),
    uuid,
    Buffer.from('it’s'),
    Buffer.from([0xde, 0xad]),
    null,
  ]
  const sql = 'select $1::int2, $2::int4, $3::int8, $4::bool, $5::uuid, $6::text, $7::bytea, $8::int4'
  const oids = [21, 23, 20, 16, 2950, 25, 17, 23]
  client.send(parse('', sql, oids), bind('', '', values, [1]), execute(''), sync)
  await client.ready(2)
  // types the server infers are known once it has described them
  client.send(parse('n', 'select $1::int4'), describe('S', 'n'), bind('', 'n', [int32(77)], [1]), execute(''), sync)
  await client.ready(3)
  client.send(terminate)
  await engine.ended(1)
  t.same(seen.entries[0]?.values, [
    '-2',
    '-5',
    '9223372036854775807',
    'true',
    '00112233-4455-6677-8899-aabbccddeeff',
    'it’s',
    { hex: 'dead', oid: 17, bytes: 2 },
    null,
  ])
  t.same(seen.entries[1]?.values, ['77'])
})

t.test('text that is no UTF-8 is recorded byte for byte', async (t) => {
  const client = await connectRaw(t, engine.port)
  client.send(query("set client_encoding to 'latin1'"))
  await client.ready(2)
  client.send(query(Buffer.concat([Buffer.from("select 'caf"), Buffer.from([0xe9]), Buffer.from("'\0")])))
  await client.ready(3)
  client.send(parse('', 'select $1::text'), bind('', '', [Buffer.from([0x63, 0xe9])]), execute(''), sync)
  await client.ready(4)
  client.send(terminate)
  await engine.ended(1)
  t.match(seen.entries[1], {
    sql: "select 'caf\ufffd'",
    sqlBase64: Buffer.from("select 'caf\xe9'", 'latin1').toString('base64'),
  })
  t.match(seen.entries[2], { values: [{ hex: '63e9', bytes: 2 }] })
})

t.test('rows of a portal that is fetched in pieces count together', async (t) => {
  control.route = { maxRows: 10 }
  const client = await connectRaw(t, engine.port)
  client.send(parse('', 'select generate_series(1, 100)'), bind('p', ''), execute('p', 6), execute('p', 6), sync)
  await client.ready(2)
  t.match(lastError(client), { C: '53400', M: /at most 10 rows/ })
  t.equal(client.answers.filter(({ type }) => type === 'D').length, 10)
  await engine.ended(1)
  t.equal(seen.ends[0]?.reason, 'limit-reached')
})

t.test('each statement of a query has the limit of rows for itself', async (t) => {
  control.route = { maxRows: 10 }
  const client = await connectRaw(t, engine.port)
  client.send(query('select generate_series(1, 9); select generate_series(1, 10)'))
  await client.ready(2)
  client.send(terminate)
  await engine.ended(1)
  t.match(seen.entries[0], { rows: 19, tags: ['SELECT 9', 'SELECT 10'] })
  t.equal(seen.ends[0]?.reason, 'client-closed')
})

t.test(
  'COPY by the extended protocol: a Sync that came too early has no answer, and both ways have a digest',
  async (t) => {
    const client = await connectRaw(t, engine.port)
    client.send(query('create temp table c (n int)'))
    await client.ready(2)
    client.send(parse('', 'copy c from stdin'), bind('', ''), execute(''), sync)
    await came(client, 'G')
    client.send(copyData('1\n2'), copyData('\n3\n'), copyDone, sync)
    await client.ready(3)
    client.send(query('copy c to stdout'))
    await client.ready(4)
    client.send(query('select count(*) from c'))
    await client.ready(5)
    client.send(terminate)
    await engine.ended(1)
    const hmac = createHmac('sha256', digestKey).update('1\n2\n3\n').digest('hex')
    t.match(seen.entries[1], { type: 'execute', sql: 'copy c from stdin', tags: ['COPY 3'] })
    t.same(seen.entries[1]?.copyIn, { bytes: 6, messages: 2, hmac })
    t.same(seen.entries[2]?.copyOut, { bytes: 6, messages: 3, hmac })
    t.match(seen.entries[3], { type: 'query', rows: 1 })
  },
)

t.test('COPY that fails half way, and what a client sends after that', async (t) => {
  const client = await connectRaw(t, engine.port)
  client.send(query('create temp table c (n int)'))
  await client.ready(2)
  client.send(query('copy c from stdin'))
  await came(client, 'G')
  client.send(copyData('1\nnonsense\n'), copyData('2\n'), copyDone, query('select 5'))
  await client.ready(4)
  client.send(query('copy c from stdin'))
  await came(client, 'G')
  client.send(copyData('1\n'), message('f', cstring('changed my mind')), query('select 6'))
  await client.ready(6)
  client.send(terminate)
  await engine.ended(1)
  t.match(seen.entries[1], { error: { code: '22P02' } })
  t.match(seen.entries[2], { sql: 'select 5', rows: 1 })
  t.match(seen.entries[3], { error: { code: '57014' }, copyIn: { bytes: 2 } })
  t.match(seen.entries[4], { sql: 'select 6', rows: 1 })
  t.equal(seen.entries.length, 5)
})

t.test('FunctionCall, which has no SQL, is recorded with what it calls', async (t) => {
  const client = await connectRaw(t, engine.port)
  // int4abs: OID 1251, one text argument, text result
  const call = message('F', int32(1251), Buffer.from([0, 0, 0, 1]), int32(3), Buffer.from('-42'), Buffer.from([0, 0]))
  client.send(call)
  t.match(await client.ready(2), /VZ$/)
  client.send(query('select 1'), terminate)
  await client.ready(3)
  await engine.ended(1)
  t.match(seen.entries[0], { type: 'function-call', function: 1251, values: ['-42'] })
  t.match(seen.entries[1], { type: 'query', rows: 1 })
})

t.test('the names of statements and portals are recorded where there are any', async (t) => {
  const client = await connectRaw(t, engine.port)
  client.send(parse('s1', 'select 1'), bind('p1', 's1'), execute('p1'), close('P', 'p1'), sync)
  await client.ready(2)
  client.send(query('deallocate s1; prepare s1 as select 2'))
  await client.ready(3)
  client.send(bind('', 's1'), execute(''), sync)
  await client.ready(4)
  client.send(query('discard all'))
  await client.ready(5)
  client.send(parse('s1', 'select 3'), bind('', 's1'), execute(''), sync)
  await client.ready(6)
  client.send(terminate)
  await engine.ended(1)
  t.match(seen.entries[0], { type: 'execute', statement: 's1', portal: 'p1', sql: 'select 1' })
  t.match(seen.entries[2], { type: 'execute', statement: 's1' })
  t.match(seen.entries[4], { type: 'execute', statement: 's1', sql: 'select 3' })
})

t.test('whatever the pieces, both ways: byte by byte', async (t) => {
  const client = await connectRaw(t, engine.port)
  const all = Buffer.concat([
    parse('', 'select $1::text'),
    bind('', '', [Buffer.from('x')]),
    execute(''),
    sync,
    query('select 2'),
  ])
  for (const byte of all) {
    client.socket.write(Buffer.from([byte]))
    await new Promise((resolve) => setImmediate(resolve))
  }
  await client.ready(3)
  client.send(terminate)
  await engine.ended(1)
  t.match(seen.entries, [
    { type: 'execute', sql: 'select $1::text', values: ['x'], rows: 1 },
    { type: 'query', sql: 'select 2', rows: 1 },
  ])
})

t.test('a session of protocol 3.2 has a key of 32 bytes, one of 3.0 of 4', async (t) => {
  for (const [minor, bytes] of [
    [0, 8],
    [2, 36],
  ] as const) {
    const client = await connectRaw(t, engine.port, { minor })
    t.equal(client.answers.find(({ type }) => type === 'K')?.body.length, bytes)
    t.match(client.answers[0], { type: 'R', body: int32(0) })
  }
})

t.test('a pipeline that is sent whole before anything is read loses nothing', async (t) => {
  const client = await connectRaw(t, engine.port)
  const count = 300_000 // more than may wait at once
  client.socket.pause()
  client.socket.write(Buffer.concat([...Array<Buffer>(count).fill(sync), query('select 1')]))
  await until(() => client.socket.writableLength === 0, 'all is sent', 20_000)
  client.socket.resume()
  await until(() => client.answers.filter(({ type }) => type === 'Z').length === count + 2, 'all is answered', 60_000)
  client.send(terminate)
  await engine.ended(1)
  t.match(seen.entries, [{ sql: 'select 1', rows: 1 }])
  t.equal(seen.entries.length, 1)
})

t.test('long statements and values are recorded as far as they are kept, and relayed whole', async (t) => {
  const client = await connectRaw(t, engine.port)
  const sql = `select length('${'x'.repeat(5_000_000)}')`
  client.send(query(sql))
  await client.ready(2)
  client.send(parse('', 'select length($1::text)'), bind('', '', [Buffer.alloc(3_000_000, 'y')]), execute(''), sync)
  await client.ready(3)
  client.send(terminate)
  await engine.ended(1)
  const rows = client.answers.filter(({ type }) => type === 'D').map(({ body }) => body.toString('latin1', 6))
  t.same(rows, ['5000000', '3000000'])
  const body = Buffer.from(`${sql}\0`)
  t.match(seen.entries[0], {
    sqlCut: { bytes: body.length, hmac: createHmac('sha256', digestKey).update(body).digest('hex') },
    sqlTail: /x'\)$/,
    rows: 1,
  })
  t.equal(String(seen.entries[0]?.sql).length + String(seen.entries[0]?.sqlTail).length, 65_536)
  t.match(seen.entries[1], {
    sql: 'select length($1::text)',
    valuesCut: { bytes: 3_000_012 },
    values: [{ bytes: 3_000_000 }],
  })
})

t.test('COPY of 20 MB each way, rows across the borders of messages: as many bytes, and the same digest', async (t) => {
  const client = await connectRaw(t, engine.port)
  client.send(query('create temp table c (x text)'))
  await client.ready(2)
  client.send(query('copy c from stdin'))
  await came(client, 'G')
  const data = `${'0123456789'.repeat(100)}\n`.repeat(20_000)
  for (let at = 0; at < data.length; at += 77_777) client.send(copyData(data.slice(at, at + 77_777)))
  client.send(copyDone)
  await client.ready(3)
  client.send(query('copy c to stdout'))
  await until(() => client.answers.at(-1)?.type === 'Z' && client.answers.length > 20_000, 'it came back', 20_000)
  client.send(terminate)
  await engine.ended(1)
  const digestOf = (all: string | Buffer) => createHmac('sha256', digestKey).update(all).digest('hex')
  const hmac = digestOf(data)
  t.match(seen.entries[1], { tags: ['COPY 20000'], copyIn: { bytes: data.length, hmac } })
  t.match(seen.entries[2], { tags: ['COPY 20000'], copyOut: { bytes: data.length, messages: 20_000, hmac } })
  const returned = client.answers.filter(({ type }) => type === 'd').map(({ body }) => body)
  t.equal(digestOf(Buffer.concat(returned)), hmac, 'what the client got')
})
