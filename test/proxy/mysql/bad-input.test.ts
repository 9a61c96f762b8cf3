/** What no honest client or server does: who is told what, by number and SQLSTATE, and what stays on record. */
import t from 'tap'
import { greetings } from '../../sandbox/mysql/greetings.ts'
import { skipWithoutMariaDb } from '../../sandbox/mysql/mariadb.ts'
import { type ScriptedTarget, startScriptedTarget } from '../../sandbox/mysql/scripted-target.ts'
import { encodeError, encodePacket } from '../../sandbox/mysql/startup.ts'
import { waitUntil } from '../../wait-until.ts'
import { iamToken, startEngine } from './engine-fixture.ts'
import { errorOf, int32, packet } from './raw-client.ts'
import { command, openRaw, openSession, query, readRows } from './raw-session.ts'

const largestPiece = 0xff_ffff
const body = Buffer.alloc(largestPiece, 0x20)
const mb = 1024 * 1024

const absent = skipWithoutMariaDb()
if (absent) t.plan(0, absent)
else await testBadInput()

async function testBadInput(): Promise<void> {
  const engine = await startEngine()
  t.teardown(() => engine.close())
  const { rds, control, seen, port, mariadb } = engine
  const target = await startScriptedTarget()
  t.teardown(() => target.close())

  t.beforeEach(async () => {
    await rds.faults.clear()
    await waitUntil(() => rds.open === 0 && seen.ends.length === seen.asks.length, 'no session is left')
    control.route = {}
    target.script = {}
    for (const list of [seen.entries, seen.ends, seen.asks, engine.errors]) list.length = 0
  })
  const toScripted = ({ port, serverName, ca }: ScriptedTarget) => {
    control.route = { port, serverName, ca, connectTimeoutMs: 500 }
  }

  t.test('a client whose packets are out of order is told so, and what it did before is on record', async (t) => {
    for (const bytes of [
      packet(3, Buffer.from('\x03select 2')),
      Buffer.concat([packet(0xff), packet(0, Buffer.from('\x0e'))]),
    ]) {
      const session = await openSession(t, port)
      session.send(query('select 1'))
      await readRows(session)
      session.send(bytes)
      t.match(errorOf((await session.packets.next()).payload), { number: 1156, state: '08S01' })
      await waitUntil(() => session.socket.closed, 'it is let go')
    }
    await engine.ended(2)
    t.match(seen.ends, [{ reason: 'protocol-error' }, { reason: 'protocol-error' }])
    t.match(seen.entries, [
      { sql: 'select 1', rows: 1, tags: ['ROWS 1'] },
      { sql: 'select 1', rows: 1 },
    ])
  })

  t.test('commands that are cut short or empty are malformed', async (t) => {
    const malformed = {
      'an empty command': packet(0),
      'the end of a statement without a number': command(0x19, Buffer.from([1, 0])),
      'an execution that ends in its head': command(0x17, int32(1), Buffer.from([0])),
      'a fetch without a count': command(0x1c, Buffer.from([1])),
      'a value ahead without a statement': command(0x18, Buffer.from([1, 0, 0])),
    }
    for (const [name, bytes] of Object.entries(malformed)) {
      const session = await openSession(t, port)
      session.send(bytes)
      t.match(errorOf((await session.packets.next()).payload), { number: 1835, state: 'HY000' }, name)
    }
  })

  t.test(
    'a statement of a gigabyte is not kept: the server refuses it, and the broker needs no room for it',
    async (t) => {
      await mariadb.query(`SET GLOBAL max_allowed_packet = ${32 * mb}`)
      t.teardown(() => mariadb.query(`SET GLOBAL max_allowed_packet = ${128 * mb}`))
      const session = await openSession(t, port)
      session.send(query('select 1'))
      await readRows(session)
      const { socket } = session
      const before = process.memoryUsage().arrayBuffers
      let peak = 0
      let sent = 0
      const head = (sequence: number) => Buffer.from([0xff, 0xff, 0xff, sequence & 0xff])
      const rest = body.subarray(1)
      for (let piece = 0; piece < 64 && !socket.closed; piece += 1) {
        socket.write(head(piece))
        if (piece === 0) socket.write(Buffer.from([3]))
        const isFree = socket.write(piece === 0 ? rest : body)
        sent += largestPiece
        if (!isFree) await waitUntil(() => socket.writableLength === 0 || socket.closed, 'it is on its way', 60_000)
        peak = Math.max(peak, process.memoryUsage().arrayBuffers - before)
      }
      t.ok(sent < 150 * mb, `${Math.round(sent / mb)} MB`)
      t.ok(peak < 96 * mb, `${Math.round(peak / mb)} MB at most, what is not collected yet included`)
      // What the server says is lost where its reset overtakes it.
      const said = errorOf((await session.packets.next()).payload)
      t.match(said, { state: '08S01' })
      t.ok([1153, 1053].includes(said.number))
      await engine.ended(1)
      t.match(seen.entries[0], { sql: 'select 1', rows: 1 })
    },
  )

  t.test('what a server says in place of its greeting has the SQLSTATE of its number', async (t) => {
    for (const [code, state] of [
      [1040, '08004'],
      [1129, 'HY000'],
      [1203, '42000'],
      [1053, '08S01'],
    ] as const) {
      rds.faults.refuseGreeting({ code, sqlState: null, text: 'said by the server' })
      const session = await openRaw(t, port)
      const { sequence, payload } = await session.answer()
      t.match(errorOf(payload), { number: code, state, text: /said by the server/ })
      t.equal(sequence, 3)
    }
  })

  t.test('a target that violates the protocol before the session is open', async (t) => {
    toScripted(target)
    const hello = (bytes: Buffer) => ({ onConnect: (socket: { write(bytes: Buffer): void }) => socket.write(bytes) })
    const cases: [name: string, script: ScriptedTarget['script'], number: number, text: RegExp][] = [
      ['a greeting of 16 MB announced', hello(Buffer.from([0xff, 0xff, 0xff, 0, 10])), 1053, /violated the protocol/],
      [
        'what PostgreSQL says, which is the beginning of a longer packet',
        hello(Buffer.from('E\0\0\0\x0cSFATAL\0\0')),
        1105,
        /no answer within/,
      ],
      ['HTTP', hello(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')), 1053, /violated the protocol/],
      [
        'a greeting that ends early',
        hello(encodePacket(0, Buffer.from('\x0a8.0.42\0'))),
        1053,
        /violated the protocol/,
      ],
      ['a packet out of order', hello(encodePacket(4, Buffer.from('\x0a8.0.42\0'))), 1053, /out of order/],
      ['a server of before TLS', { greeting: { ...greetings.mysql57, capabilities: 0x8_a200 } }, 1105, /offer TLS/],
      [
        'OK without a password',
        { onLogin: (tls, sequence) => tls.write(encodePacket(sequence, Buffer.from([0, 0, 0, 2, 0, 0, 0]))) },
        1105,
        /without a password/,
      ],
      [
        'a second factor',
        { onToken: (tls, sequence) => tls.write(encodePacket(sequence, Buffer.from('\x02dialog\0'))) },
        1105,
        /something else after the token/,
      ],
      [
        'a password of before 4.1',
        { onLogin: (tls, sequence) => tls.write(encodePacket(sequence, Buffer.from([0xfe]))) },
        1105,
        /asked for mysql_old_password/,
      ],
      ['a hang-up at the login', { onLogin: (tls) => tls.end() }, 1053, /TARGET_LOST/],
      [
        'an error with a terminal’s commands in it',
        {
          onToken: (tls, sequence) =>
            tls.write(encodePacket(sequence, encodeError(1045, '28000', '\u001b[2Jno\u0007 entry'))),
        },
        1105,
        / no {1,2}entry|\[2Jno {1,2}entry/,
      ],
    ]
    for (const [name, script, number, text] of cases) {
      target.script = script
      const session = await openRaw(t, port)
      const error = errorOf((await session.answer()).payload)
      t.match(error, { text }, name)
      t.equal(error.number, number, name)
      t.notMatch(error.text, iamToken)
      t.notMatch(error.text, /\p{Cc}/u)
      await waitUntil(() => session.socket.closed && target.sockets.size === 0, 'nothing is left open')
    }
    t.ok(seen.ends.every(({ reason }) => reason === 'open-failed'))
  })

  t.test(
    'a target that violates the protocol later ends the session, and nothing of that reaches the client',
    async (t) => {
      toScripted(target)
      const cases: Record<string, Buffer> = {
        'an answer out of order': encodePacket(9, Buffer.from([0, 0, 0, 2, 0, 0, 0])),
        'an OK that ends early': encodePacket(1, Buffer.from([0, 0])),
        'an empty packet': encodePacket(1, Buffer.alloc(0)),
        'columns without number': encodePacket(1, Buffer.from([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
        'a request for a file': encodePacket(1, Buffer.from('\xfb/etc/passwd', 'latin1')),
      }
      for (const [name, bytes] of Object.entries(cases)) {
        target.script = { onCommand: (tls) => tls.write(bytes) }
        const session = await openSession(t, port)
        const from = session.packets.all.length
        session.send(query(`select '${name}'`))
        await waitUntil(() => session.socket.closed, 'it is let go')
        const said = session.packets.all.slice(from)
        t.equal(said.length, 1, name)
        t.equal(said[0]?.sequence, 1)
        t.match(errorOf(said[0]?.payload), { number: 1053, state: '08S01', text: /violated the protocol/ }, name)
        t.match(seen.entries.at(-1), { sql: `select '${name}'`, unfinished: true })
      }
      t.ok(seen.ends.every(({ reason }) => reason === 'upstream-failed'))
    },
  )

  t.test('a target that speaks without being asked ends the session', async (t) => {
    toScripted(target)
    let say = () => {}
    target.script = {
      onCommand: (tls) => {
        say = () => void tls.write(encodePacket(0, Buffer.from([0, 0, 0, 2, 0, 0, 0])))
        tls.write(encodePacket(1, Buffer.from([0, 0, 0, 2, 0, 0, 0])))
      },
    }
    const session = await openSession(t, port)
    session.send(query('set @a = 1'))
    await session.packets.next()
    say()
    t.match(errorOf((await session.packets.next()).payload), { number: 1053, state: '08S01' })
    t.match(seen.entries, [{ sql: 'set @a = 1', tags: ['OK 0'] }])
  })

  t.test('MariaDB where MySQL answered before, and the other way round', async (t) => {
    rds.faults.greeting(greetings.mysql84)
    await (await engine.connect(t)).end()
    rds.faults.greeting(null)
    control.route = { statementTimeoutMs: 1500 }
    const connection = await engine.connect(t, { charset: 'UTF8MB4_0900_AI_CI' })
    t.match(await connection.query("select 'é' as word, @@max_statement_time as s"), [[{ word: 'é', s: '1.500000' }]])
    await connection.end()
    rds.faults.greeting(greetings.mysql80) // which is not what answers the settings
    const refused = await openRaw(t, port)
    t.match(errorOf((await refused.answer()).payload), { number: 1105, text: /setting of the access level \(1193\)/ })
  })
}
