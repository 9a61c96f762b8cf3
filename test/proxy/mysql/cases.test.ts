/** What went wrong elsewhere, from the greeting to the sign-in at the target, with a real MariaDB. */
import { createConnection, type RowDataPacket } from 'mysql2/promise'
import t from 'tap'
import { startCommand } from '../../sandbox/commands.ts'
import { greetings } from '../../sandbox/mysql/greetings.ts'
import { skipWithoutMariaDb } from '../../sandbox/mysql/mariadb.ts'
import { waitUntil } from '../../wait-until.ts'
import { endpointName, iamToken, startEngine } from './engine-fixture.ts'
import { connect, openPort, token } from './port.ts'
import { errorOf, flag, greetingOf, login, Packets, packet, startTls, text } from './raw-client.ts'
import { openRaw, openSession, query, readRows } from './raw-session.ts'

const zlib = 0x20
const zstd = 0x400_0000

const absent = skipWithoutMariaDb()
if (absent) t.plan(0, absent)
else await testCases()

async function testCases(): Promise<void> {
  const engine = await startEngine()
  t.teardown(() => engine.close())
  const { rds, control, seen } = engine

  t.beforeEach(async () => {
    control.route = {}
    await waitUntil(() => rds.open === 0 && seen.ends.length === seen.asks.length, 'no session is left')
    for (const list of [seen.entries, seen.ends, seen.asks, engine.errors]) list.length = 0
    await rds.faults.clear()
  })

  t.test('M-8: a switch to mysql_clear_password, whatever data comes with it', async (t) => {
    for (const length of [0, 1, 20, 21, 1000]) {
      rds.faults.switchData(Buffer.alloc(length, 7))
      const connection = await engine.connect(t)
      t.match(await connection.query('select 1 as one'), [[{ one: 1 }]], `${length} bytes`)
      t.equal(rds.logins.at(-1)?.answer.toString(), `${iamToken}\0`)
      await connection.end()
    }
  })

  t.test('M-9: the certificate is checked for the endpoint, under whatever address it is reached', async (t) => {
    await (await engine.connect(t)).end()
    const before = rds.logins.length
    control.route = { serverName: 'ec2-192-0-2-7.eu-west-1.compute.amazonaws.com' }
    await t.rejects(engine.connect(t), { errno: 1105, message: /could not be verified/ })
    t.equal(rds.logins.length, before, `nothing is said to a server that does not prove to be ${endpointName}`)
  })

  t.test('M-10: long and short tokens are sent whole, from the client to us and from us to the target', async (t) => {
    for (const length of [64, 255, 256, 1000, 1024, 1600, 8354]) {
      const secret = `${'x'.repeat(length - 1)}y`
      control.route = { secret }
      await t.rejects(engine.connect(t), { message: /Access denied/ }, 'the endpoint knows another')
      t.equal(rds.logins.at(-1)?.answer.toString(), `${secret}\0`, `${length} to the target`)
      const claims: unknown[] = []
      const port = await openPort(t, {
        identify: async (claim) => {
          claims.push(claim)
          throw new Error('not asked further')
        },
      })
      const [ca, number] = [port.ca, port.listener.port]
      const attempt = createConnection({
        host: '127.0.0.1',
        port: number,
        user: 'alice',
        password: secret,
        ssl: { ca },
      })
      await t.rejects(attempt)
      t.same(claims, [{ by: 'token', token: secret }], `${length} from the client`)
    }
  })

  t.test('M-12: compression is neither offered nor taken, whatever the client and the target have', async (t) => {
    const connection = await engine.connect(t, { compress: true })
    const [rows] = await connection.query<RowDataPacket[]>('select repeat("a", 100000) as long_one')
    t.equal(rows[0]?.long_one.length, 100_000)
    await connection.end()
    const flags = ['--no-defaults', '--skip-ssl', '--compress', '-h127.0.0.1', `-P${engine.port}`, '-pany', 'orders']
    const { stdout } = await startCommand('mariadb', [...flags, '-N', '-e', 'select count(*) from customers']).ended
    t.equal(stdout, '200\n')
    rds.faults.greeting(greetings.mysql80) // which has both
    await (await engine.connect(t)).end()
    const session = await openSession(t, engine.port, { capabilities: zlib | zstd })
    t.equal(session.greeting.capabilities & (zlib | zstd), 0)
    session.send(query('select 1'))
    t.equal((await readRows(session)).length, 5)
    session.socket.destroy()
    const sent = rds.logins.map(({ capabilities }) => capabilities & (zlib | zstd))
    t.ok(sent.every((both) => both === 0))
  })

  t.test('M-13: a client is greeted with the version of its own target', async (t) => {
    for (const recorded of [greetings.mysql57, greetings.mysql80, greetings.mysql84, greetings.mysql90]) {
      rds.faults.greeting(recorded)
      await (await engine.connect(t)).end() // from which it is learnt
      const { greeting, socket } = await openRaw(t, engine.port)
      t.match(greeting, { version: recorded.version, charset: recorded.charset })
      socket.destroy()
    }
  })

  t.test('a collation that MariaDB does not know is replaced by one that it does, and no text is harmed', async (t) => {
    const connection = await engine.connect(t, { charset: 'UTF8MB4_0900_AI_CI' })
    t.equal(rds.logins.at(-1)?.charset, 45)
    t.match(await connection.query("select 'é🦭' as word"), [[{ word: 'é🦭' }]])
  })

  t.test('a server of before DEPRECATE_EOF in the place of one that has it', async (t) => {
    await (await engine.connect(t)).end()
    const flags = { capabilities: flag.deprecateEof }
    const newer = await openSession(t, engine.port, flags)
    t.ok(newer.greeting.capabilities & flag.deprecateEof)
    newer.socket.destroy()
    const capabilities = greetings.mysql57.capabilities & ~flag.deprecateEof
    rds.faults.greeting({ ...greetings.mysql57, capabilities })
    const refused = await openRaw(t, engine.port, flags)
    t.match(errorOf((await refused.answer()).payload), { number: 1235, state: '42000', text: /connect again/ })
    const again = await openSession(t, engine.port, flags)
    t.notOk(again.greeting.capabilities & flag.deprecateEof)
    again.send(query('select id from customers where id < 3'))
    t.equal((await readRows(again)).length, 6, 'a number of columns, one, its end, two rows, their end')
    t.match(seen.entries, [{ rows: 2, tags: ['ROWS 2'] }])
  })
}

t.test('M-11: what comes in one segment with the request for TLS goes to TLS', async (t) => {
  const port = await openPort(t)
  for (let i = 0; i < 20; i += 1) {
    const packets = new Packets(await connect(t, port))
    const { scramble } = greetingOf((await packets.next()).payload)
    const tls = await startTls(t, packets, { ca: port.ca }, 'with the request')
    const inside = new Packets(tls)
    tls.write(packet(2, login({ user: 'alice', answer: scramble })))
    t.same((await inside.next()).payload, Buffer.from([1, 4]))
    tls.write(packet(4, text(token)))
    t.equal((await inside.next()).payload[0], 0xff)
    tls.destroy()
  }
  t.equal(port.claims.length, 20)
})
