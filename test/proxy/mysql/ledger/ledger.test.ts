/** The ledger by the byte: what servers and clients send in the cases that went wrong elsewhere. */
import { type Duplex, PassThrough } from 'node:stream'
import t from 'tap'
import { Ledger } from '../../../../proxy/mysql/ledger/ledger.ts'
import type { LedgerParts } from '../../../../proxy/mysql/ledger/ledger-parts.ts'
import { SessionText } from '../../../../proxy/mysql/sql/session-text.ts'
import { EntryWriter } from '../../../../proxy/recording/entry-writer.ts'
import { Budget } from '../../../../proxy/relay/budget.ts'
import type { Sides } from '../../../../proxy/relay/conversation.ts'
import { BrokerError } from '../../../../proxy/session.ts'
import type { ChangeUser } from '../../../../proxy/wire/mysql/change-user.ts'
import { WireError } from '../../../../proxy/wire/wire-error.ts'
import { recorderDouble } from '../../relay/recorder-double.ts'

const protocol41 = 0x200
const multiStatements = 0x1_0000
const localFiles = 0x80
const deprecateEof = 0x100_0000

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex')
const packet = (sequence: number, payload: Buffer): Buffer =>
  Buffer.concat([Buffer.from([payload.length & 0xff, payload.length >> 8, 0, sequence]), payload])
const query = (sql: string): Buffer => packet(0, Buffer.from(`\x03${sql}`))
const prepare = (sql: string): Buffer => packet(0, Buffer.from(`\x16${sql}`))
/** OK: no rows changed, autocommit. */
const ok = (sequence: number): Buffer => packet(sequence, hex('00 00 00 0200 0000'))
const eof = (sequence: number, status = '0200'): Buffer => packet(sequence, hex(`fe 0000 ${status}`))
/** ERR 1064, '#42000', text. */
const error = (sequence: number, text = 'wrong'): Buffer =>
  packet(sequence, Buffer.concat([hex('ff 2804'), Buffer.from(`#42000${text}`)]))
/** int<4> id, int<2> columns, int<2> parameters. */
const prepared = (id: string, columns: string, parameters: string): Buffer =>
  hex(`00 ${id} ${columns} ${parameters} 00 0000`)
/** A column definition begins with `def`; nothing more of it is read. */
const column = (sequence: number): Buffer => packet(sequence, hex('03646566 00000000'))

function talk(parts: Partial<LedgerParts> = {}) {
  const entries: Record<string, unknown>[] = []
  const recorder = recorderDouble((text) => {
    entries.push(JSON.parse(text))
    return true
  })
  const ledger = new Ledger({
    entries: new EntryWriter(recorder, () => {}),
    budget: new Budget(),
    now: () => 1_700_000_000_000,
    onStatement: () => {},
    capabilities: protocol41,
    maxRows: 0,
    capture: new SessionText(Buffer.alloc(32, 7), '8.0.40'),
    databases: ['*'],
    mayLoadLocal: false,
    changeUser: () => Promise.reject(new Error('nobody changes')),
    kill: async () => 'done',
    ...parts,
  })
  return {
    ledger,
    entries,
    /** @returns whether all of it goes on */
    up: (...bytes: Buffer[]): boolean => {
      const chunk = Buffer.concat(bytes)
      return ledger.up.scan(chunk) === chunk.length
    },
    down: (...bytes: Buffer[]): boolean => {
      const chunk = Buffer.concat(bytes)
      return ledger.down.scan(chunk) === chunk.length
    },
    endSequence: (): number => ledger.words.error(new BrokerError('INTERNAL')).readUInt8(3),
  }
}

const nothing = () => Promise.reject(new Error('no side is asked'))
const noSides: Sides = { target: nothing, client: nothing }
const aloneWith = (stream: Duplex): Sides => ({ ...noSides, target: (use) => use(stream) })

t.test('M-1: with the old end of rows and with the new one', async (t) => {
  const old = talk()
  old.up(query('SELECT 1'))
  old.down(packet(1, hex('01')), column(2), eof(3), packet(4, hex('0131')), eof(5))
  t.match(old.entries, [{ type: 'query', sql: 'SELECT 1', rows: 1, tags: ['ROWS 1'] }])
  const now = talk({ capabilities: protocol41 | deprecateEof })
  now.up(query('SELECT 1'))
  now.down(packet(1, hex('01')), column(2), packet(3, hex('0131')), packet(4, hex('fe 00 00 0200 0000')))
  t.match(now.entries, [{ sql: 'SELECT 1', rows: 1, tags: ['ROWS 1'] }])
})

t.test('M-2: an error where the end of the rows belongs', async (t) => {
  const { up, down, entries, ledger } = talk()
  up(query('SELECT a FROM big'))
  down(packet(1, hex('01')), column(2), eof(3), packet(4, hex('0131')), error(5, 'too long'))
  t.match(entries, [{ rows: 1, error: { number: 1064, code: '42000', message: 'too long' } }])
  t.equal(ledger.waiting, 0)
  up(query('SELECT 2'))
  t.ok(down(ok(1)), 'the next command is answered as its own')
})

t.test('M-3: a value that is sent ahead in three pieces', async (t) => {
  const { up, down, entries, ledger } = talk()
  up(prepare('INSERT INTO t VALUES (?, ?)'))
  down(packet(1, prepared('01000000', '0000', '0200')), column(2), column(3), eof(4))
  const piece = (text: string) => packet(0, Buffer.concat([hex('18 01000000 0000'), Buffer.from(text)]))
  t.ok(up(piece('abc'), piece('def'), piece('ghi')))
  t.equal(ledger.waiting, 0, 'no answer is awaited')
  // id 1, no cursor, 1 time; no NULL; types: blob, string; a value for the second alone
  up(packet(0, hex('17 01000000 00 01000000 00 01 fc00 fe00 01 78')))
  down(ok(1))
  t.match(entries, [
    { type: 'execute', sql: 'INSERT INTO t VALUES (?, ?)', values: ['abcdefghi', 'x'], tags: ['OK 0'] },
  ])
  // the same types, which are not sent again
  up(packet(0, hex('17 01000000 00 01000000 00 00 01 61 01 62')))
  down(ok(1))
  t.match(entries[1], { values: ['a', 'b'] })
})

t.test('M-5: two prepares in one write, of which the first fails', async (t) => {
  const { up, down, entries } = talk()
  up(prepare('SELECT nonsense'), prepare('SELECT 2'))
  down(error(1), packet(1, prepared('07000000', '0100', '0000')), column(2), eof(3))
  up(packet(0, hex('17 07000000 00 01000000')))
  down(packet(1, hex('01')), column(2), eof(3), packet(4, hex('00 00 02000000')), eof(5))
  t.match(entries, [
    { type: 'parse', sql: 'SELECT nonsense', error: { number: 1064 } },
    { type: 'execute', sql: 'SELECT 2', statement: '7', rows: 1 },
  ])
})

t.test('CHANGE_USER is kept back; what it comes to is on record, and its answer has the next number', async (t) => {
  for (const [payload, reset, shown] of [
    [hex('00 00 00 0200 0000'), hex('00 00 00 0200 0000'), { database: 'billing' }],
    [hex('ff 1504 23 3238303030 6e6f'), undefined, { error: { number: 1045, code: '28000' } }],
  ] as const) {
    const asked: ChangeUser[] = []
    const { up, down, entries, ledger } = talk({
      changeUser: async (wanted, sequence) => {
        asked.push(wanted)
        return { payload, sequence: sequence + 3, ...(reset ? { reset } : {}) }
      },
    })
    up(prepare('SELECT 1'))
    down(packet(1, prepared('01000000', '0100', '0000')), column(2), eof(3))
    t.notOk(up(packet(0, Buffer.concat([Buffer.from('\x11bob\0\x02xybilling\0'), hex('2d00'), Buffer.from('p\0')]))))
    const { passing, rest } = ledger.takePassing()
    t.same([passing.length, rest?.length], [0, 0])
    t.same(await ledger.answer(noSides), packet(4, payload))
    t.match(asked, [{ user: 'bob', answer: Buffer.from('xy'), database: 'billing', charset: 45, plugin: 'p' }])
    t.match(
      entries.find(({ command }) => command === 'CHANGE_USER'),
      { detail: 'bob', ...shown },
    )
    t.equal(
      entries.some(({ sql }) => sql === 'SELECT 1'),
      reset !== undefined,
      'a new session has no statements',
    )
  }
})

t.test(
  'a reset goes on where the level has set nothing that it would drop; else the broker carries it out',
  async (t) => {
    const reset = packet(0, hex('1f'))
    const free = talk()
    t.ok(free.up(reset))
    free.down(ok(1))
    t.match(free.entries, [{ type: 'command', command: 'RESET_CONNECTION' }])
    const stream = new PassThrough()
    const asked: unknown[] = []
    const kept = talk({
      reset: async (lent) => {
        asked.push(lent)
        return hex('00 00 00 0202 0000') // NO_BACKSLASH_ESCAPES
      },
    })
    kept.up(prepare('SELECT 1'))
    kept.down(packet(1, prepared('01000000', '0100', '0000')), column(2), eof(3))
    t.notOk(kept.up(reset, query('SELECT 2')), 'it is kept back')
    const { passing, rest } = kept.ledger.takePassing()
    t.same([passing.length, rest?.toString('latin1', 5)], [0, 'SELECT 2'], 'and so is what follows')
    t.same(await kept.ledger.answer(aloneWith(stream)), packet(1, hex('00 00 00 0202 0000')))
    t.same(asked, [stream])
    t.match(kept.entries, [
      { type: 'parse', sql: 'SELECT 1', statement: '1' },
      { type: 'command', command: 'RESET_CONNECTION' },
    ])
    kept.up(packet(0, hex('17 01000000 00 01000000')))
    kept.down(error(1))
    t.notMatch(kept.entries.at(-1), { sql: String }, 'its statements are forgotten')
  },
)

t.test('a target that refuses a reset: the client is told, and keeps its statements', async (t) => {
  const { up, down, ledger, entries } = talk({ reset: async () => hex('ff 1704 23 3038533031 6e6f') })
  up(prepare('SELECT 1'))
  down(packet(1, prepared('01000000', '0100', '0000')), column(2), eof(3))
  up(packet(0, hex('1f')))
  const answer = await ledger.answer(aloneWith(new PassThrough()))
  t.same([answer[3], answer[4], answer.readUInt16LE(5)], [1, 0xff, 1047])
  t.match(entries, [{ command: 'RESET_CONNECTION', refused: true, error: { number: 1047, code: '08S01' } }])
  up(packet(0, hex('17 01000000 00 01000000')))
  down(ok(1))
  t.match(entries.at(-1), { type: 'execute', sql: 'SELECT 1' })
})

t.test('M-6: MariaDB’s execution of the statement prepared last, in one write with its prepare', async (t) => {
  const last = packet(0, hex('17 ffffffff 00 01000000 00 01 0300 2a000000'))
  const { up, down, entries } = talk()
  up(prepare('SELECT ?'), last)
  down(packet(1, prepared('09000000', '0100', '0100')), column(2), eof(3), column(4), eof(5))
  down(packet(1, hex('01')), column(2), eof(3), packet(4, hex('00 00 2a000000')), eof(5))
  t.match(entries, [{ type: 'execute', sql: 'SELECT ?', values: ['42'], rows: 1 }])
  const failing = talk()
  failing.up(prepare('SELECT nonsense'), last)
  failing.down(error(1), error(1, 'Unknown prepared statement handler'))
  t.match(failing.entries, [
    { type: 'parse', sql: 'SELECT nonsense', error: { number: 1064 } },
    { type: 'execute', sql: 'SELECT nonsense', error: { message: /Unknown/ } },
  ])
})

t.test(
  'M-7: a server that asks for a file is refused, unless the statement names it and the level allows it',
  async (t) => {
    const asks = (sequence: number) => packet(sequence, Buffer.from('\xfb/etc/passwd', 'latin1'))
    const hostile = talk({ capabilities: protocol41 | localFiles, mayLoadLocal: true })
    hostile.up(query('SELECT 1'))
    t.throws(() => hostile.down(asks(1)), WireError)
    t.equal(hostile.endSequence(), 1, 'and the client is told in place of the answer')
    const other = talk({ capabilities: protocol41 | localFiles, mayLoadLocal: true })
    other.up(query("LOAD DATA LOCAL INFILE '/tmp/rows' INTO TABLE t"))
    t.throws(() => other.down(asks(1)), WireError)
    const denied = talk({ capabilities: protocol41 | localFiles, mayLoadLocal: false })
    denied.up(query("LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t"))
    t.throws(() => denied.down(asks(1)), WireError)
    const allowed = talk({ capabilities: protocol41 | localFiles, mayLoadLocal: true })
    allowed.up(query("LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t"))
    t.ok(allowed.down(asks(1)))
    t.ok(allowed.up(packet(2, Buffer.from('root:x')), packet(3, Buffer.alloc(0))), 'it comes from the client')
    t.ok(allowed.down(packet(4, hex('00 01 00 0200 0000'))))
    t.match(allowed.entries, [{ copyIn: { bytes: 6, messages: 1, hmac: String }, tags: ['OK 1'] }])
    const early = talk({ capabilities: protocol41 | localFiles, mayLoadLocal: true })
    early.up(query("LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t"), query('SELECT 1'))
    t.throws(() => early.down(asks(1)), { code: 'PROTOCOL_ERROR' }, 'what follows would be taken for the file')
  },
)

t.test('commands that are not passed on', async (t) => {
  for (const first of [0x05, 0x06, 0x07, 0x08, 0x0d, 0x12, 0x13, 0x14, 0x15, 0x1d, 0x1e, 0x20, 0xfa, 0xfe]) {
    const { up, ledger, entries } = talk()
    t.notOk(up(packet(0, Buffer.from([first, 1, 0, 0, 0]))), first.toString(16))
    const answer = await ledger.answer(noSides)
    t.same([answer[3], answer[4], answer.readUInt16LE(5)], [1, 0xff, 1047])
    t.match(entries, [{ type: 'command', refused: true }])
  }
  const { up, ledger } = talk({ databases: ['orders'] })
  t.ok(up(packet(0, Buffer.from('\x02orders'))))
  ledger.down.scan(ok(1))
  t.notOk(up(packet(0, Buffer.from('\x02billing'))))
  t.equal((await ledger.answer(noSides)).readUInt16LE(5), 1044)
})

t.test('a cursor: its rows are counted as they are fetched, against one limit', async (t) => {
  const { up, down, entries } = talk({ maxRows: 3 })
  up(prepare('SELECT a FROM t'))
  down(packet(1, prepared('01000000', '0100', '0000')), column(2), eof(3))
  up(packet(0, hex('17 01000000 01 01000000')))
  down(packet(1, hex('01')), column(2), eof(3, '4200'))
  const row = (sequence: number) => packet(sequence, hex('00 00 02000000'))
  up(packet(0, hex('1c 01000000 02000000')))
  down(row(1), row(2), eof(3, '4200'))
  t.match(entries, [
    { type: 'execute', rows: 0, suspended: true },
    { type: 'fetch', sql: 'SELECT a FROM t', rows: 2, suspended: true },
  ])
  up(packet(0, hex('1c 01000000 02000000')))
  t.notOk(down(row(1), row(2), eof(3, '8200')), 'it stops before the fourth row')
})

t.test('the number of the packet that ends a session', async (t) => {
  const { up, down, endSequence, ledger } = talk()
  t.equal(endSequence(), 0, 'while nothing is asked')
  up(query('SELECT 1'))
  t.equal(endSequence(), 1)
  down(packet(1, hex('01')), column(2), eof(3), packet(4, hex('0131')))
  t.equal(endSequence(), 5, 'amid rows')
  ledger.close()
  t.notOk(down(packet(5, hex('0132'))), 'no row more')
  t.equal(endSequence(), 5)
})

t.test('what was prepared and never executed is on record when it is closed', async (t) => {
  const { up, down, entries, ledger } = talk()
  up(prepare('SELECT 1'), prepare('SELECT 2'))
  down(packet(1, prepared('01000000', '0000', '0000')), packet(1, prepared('02000000', '0000', '0000')))
  up(packet(0, hex('19 01000000')))
  t.match(entries, [{ type: 'parse', sql: 'SELECT 1', statement: '1' }])
  up(query('SELECT SLEEP(1)'))
  ledger.finish(0)
  t.match(entries.slice(1), [
    { type: 'query', sql: 'SELECT SLEEP(1)', unfinished: true },
    { type: 'parse', sql: 'SELECT 2', statement: '2' },
  ])
})

t.test('write-ahead: what runs is on record under a number, which its final entry has too', async (t) => {
  const { up, down, entries, ledger } = talk()
  up(query('SELECT 1'), packet(0, Buffer.from([0x0e])))
  ledger.begin(Number.POSITIVE_INFINITY)
  down(ok(1), ok(1))
  t.match(entries, [
    { sql: 'SELECT 1', request: 1, begun: true },
    { sql: 'SELECT 1', request: 1, tags: ['OK 0'] },
  ])
  t.equal(entries.length, 2, 'a ping is not recorded')
})

t.test('answers that nobody asked for', async (t) => {
  t.throws(() => talk().down(ok(0)), WireError)
  const leaving = talk()
  leaving.down(packet(0, Buffer.concat([hex('ff bf0f'), Buffer.from('#HY000idle too long')])))
  t.ok(leaving.ledger.serverHasLeft)
})

t.test('random bytes of a server give a result or a WireError, and nothing else', async (t) => {
  let state = 1
  const random = (): number => {
    state = (state * 48_271) % 2_147_483_647
    return state
  }
  let failed = 0
  for (let round = 0; round < 2000; round += 1) {
    const { up, down } = talk()
    up(query('SELECT 1'), prepare('SELECT ?'), packet(0, hex('17 01000000 00 01000000')))
    const payload = Buffer.from(Array.from({ length: 1 + (random() % 12) }, () => random() & 0xff))
    try {
      down(packet(1, payload), packet(2, payload))
    } catch (error) {
      failed += 1
      if (!(error instanceof WireError)) t.fail(`${payload.toString('hex')}: ${error}`)
    }
  }
  t.ok(failed > 0)
})

t.test('KILL behind the first 64 KB of a text does not reach the target', async (t) => {
  const long = (sql: string): Buffer => {
    const payload = Buffer.from(`\x03${sql}`, 'latin1')
    const { length } = payload
    return Buffer.concat([Buffer.from([length & 0xff, (length >> 8) & 0xff, length >> 16, 0]), payload])
  }
  const filler = `insert into t values ('${'x'.repeat(100_000)}'); `
  const backslashes = 0x2
  const withMany = () => {
    const capture = new SessionText(Buffer.alloc(32, 7), '5.5.5-10.11.19-MariaDB')
    capture.status(backslashes)
    return talk({ capabilities: protocol41 | multiStatements, capture })
  }
  const refused = { code: 'UNSUPPORTED', message: /KILL within a long text/ }
  for (const sql of [
    `${filler}kill 5`,
    `set sql_mode = 'NO_BACKSLASH_ESCAPES'; ${filler}select '\\'; kill 5; -- '`,
    `set sql_mode = 'NO_BACKSLASH_ESCAPES'; select '\\'; ${filler}set sql_mode = ''; select '\\''; kill 5; -- '`,
  ])
    t.throws(() => withMany().up(long(sql)), refused, sql.slice(0, 40))
  const free = withMany()
  t.ok(free.up(long(`${filler}insert into t values ('it\\'s; kill 5; -- ')`)), 'a literal, as the server reads it')
  free.down(ok(1))
  t.match(free.entries, [{ type: 'query', sqlCut: { bytes: Number }, tags: ['OK 0'] }])
  const single = talk()
  t.ok(single.up(long(`${filler}kill 5`)), 'where a text is one statement, the server refuses the second')
  single.down(error(1))
  single.up(packet(0, hex('1b 0000')))
  single.down(eof(1))
  t.throws(() => single.up(long(`${filler}kill 5`)), refused, 'SET_OPTION allows several')
})
