/** A session that is cut: the client is told within a second where it can be, nothing goes on upstream, and the books are closed once. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { startCommand } from '../../sandbox/commands.ts'
import { skipWithout } from '../../sandbox/programs.ts'
import { startEngine, until } from './engine-fixture.ts'
import { connectRaw, copyData, cstring, lastError, message, query } from './raw-client.ts'
import { fatal, signedIn, startTarget } from './scripted-target.ts'

const engine = await startEngine()
t.teardown(() => engine.close())
const { seen, control, env } = engine
const skip = skipWithout('psql')
const text = 'access was revoked by bob@example.com: incident 42'

t.beforeEach(() => {
  seen.entries.length = 0
  seen.ends.length = 0
  control.route = {}
})

const active = async (like: string) => {
  const sql = "select 1 from pg_stat_activity where state = 'active' and query like $1 and pid <> pg_backend_pid()"
  return (await engine.postgres.query('postgres', sql, [`%${like}%`])).rowCount ?? 0
}
const running = (like: string) => until(async () => (await active(like)) > 0, `${like} runs`)
const stopped = (like: string) => until(async () => (await active(like)) === 0, `${like} no longer runs`, 1000)

function checkBooks(t: Test, reason = 'grant-revoked'): void {
  t.equal(seen.ends.length, 1, 'the books are closed once')
  t.match(seen.ends[0], { reason, stoppedAt: Number })
}

const states: [name: string, script: string, like: string][] = [
  ['in a statement', 'select pg_sleep(60);', 'pg_sleep(60)'],
  ['in a transaction', "begin; update customers set name = 'left behind'; select 'x', pg_sleep(61);", 'pg_sleep(61)'],
  [
    'in COPY out',
    "copy (select repeat('x', 1000), pg_sleep(0.0001) from generate_series(1, 1000000)) to stdout;",
    'copy (select repeat',
  ],
]

for (const [name, script, like] of states)
  t.test(`psql is told ${name}`, { skip }, async (t) => {
    const command = startCommand('psql', ['-X', '-f', '-'], env, script)
    await running(like)
    const since = performance.now()
    await engine.cut()
    const { stderr } = await command.ended
    t.ok(performance.now() - since < 1000, `${Math.round(performance.now() - since)} ms`)
    t.match(stderr, `FATAL:  ${text}`)
    await stopped(like)
    await engine.ended(1)
    checkBooks(t)
    t.match(seen.entries.at(-1), { sql: new RegExp(like.replace(/[()]/g, '.')), unfinished: true })
  })

t.test('nothing of the transaction remains', async (t) => {
  const { rowCount } = await engine.postgres.query('orders', "select 1 from customers where name = 'left behind'")
  t.equal(rowCount, 0)
})

/** A psql that reads what is written to it as it comes. */
function interactive(t: Test, args: readonly string[] = []) {
  const child = spawn('psql', ['-X', ...args], { env, stdio: ['pipe', 'ignore', 'pipe'] })
  t.teardown(() => child.kill())
  let said = ''
  child.stdin.on('error', () => {})
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    said += chunk
  })
  return { child, stderr: once(child, 'close').then(() => said) }
}

t.test('psql is told in COPY in, while it sends', { skip }, async (t) => {
  const { child, stderr } = interactive(t, ['-c', 'create temp table c (x text)', '-c', 'copy c from stdin'])
  const before = engine.relayed().up
  const sending = setInterval(() => child.stdin.write('x'.repeat(10_000).concat('\n')), 1)
  t.teardown(() => clearInterval(sending))
  await until(() => engine.relayed().up > before + 100_000, 'some of it passed')
  const since = performance.now()
  await engine.cut()
  await stopped('copy c from')
  t.ok(performance.now() - since < 1000)
  await engine.ended(1)
  checkBooks(t)
  t.match(seen.entries.at(-1), { sql: /copy c from/, unfinished: true })
  child.stdin.end() // psql looks at what the server said once it has sent all
  t.match(await stderr, text)
})

t.test('an idle psql is told at its next command', { skip }, async (t) => {
  const { child, stderr } = interactive(t)
  child.stdin.write("select 'ready';\n")
  await until(() => seen.entries.length === 1, 'it is connected')
  await engine.cut()
  await engine.ended(1)
  child.stdin.end("select 'next';\n")
  t.match(await stderr, `FATAL:  ${text}`)
  checkBooks(t)
})

t.test('while the target is being dialled or signs us in, the client is told as of its sign-in', async (t) => {
  const target = await startTarget(t)
  const { port, serverName, ca } = target
  let isHanging = false
  const hang = () => {
    isHanging = true
    return new Promise<never>(() => {})
  }
  for (const [name, route, script] of [
    ['signing in', {}, { onStartup: () => void hang() }],
    ['waiting for a token', { password: hang }, {}],
  ] as const) {
    seen.ends.length = 0
    isHanging = false
    control.route = { host: '127.0.0.1', port, serverName, ca, ...route }
    target.script = script
    const client = await connectRaw(t, engine.port, { untilReady: false })
    await until(() => isHanging, name)
    await engine.cut()
    await client.closed
    t.match(lastError(client), { S: 'FATAL', C: '57P01', M: text }, name)
    await engine.ended(1)
    checkBooks(t)
    await until(() => target.sockets.size === 0, 'the target is left')
  }
  control.reach = {
    open: (_permit, signal) =>
      new Promise((_resolve, reject) => {
        isHanging = true
        signal.addEventListener('abort', () => reject(new Error('aborted')))
      }),
  }
  t.teardown(() => {
    control.reach = undefined
  })
  seen.ends.length = 0
  isHanging = false
  const client = await connectRaw(t, engine.port, { untilReady: false })
  await until(() => isHanging, 'it dials')
  await engine.cut()
  await client.closed
  t.match(lastError(client), { C: '57P01' }, 'a dial that hangs')
  await engine.ended(1)
  checkBooks(t)
})

/** A row of 10 bytes, of which the target sends as much as told before it stops. */
const row = message('D', Buffer.from([0, 1, 0, 0, 0, 4]), Buffer.from('rows'))
const rowHead = message('T', Buffer.from([0, 1]), cstring('n'), Buffer.alloc(18))

t.test(
  'a cut in the middle of a message waits for its end, wherever it began, and gives up after half a second',
  async (t) => {
    for (let sent = 0; sent <= row.length; sent += 1)
      for (const goesOn of [3, 5, 12].includes(sent) ? [true, false] : [true]) {
        const name = `${sent} of ${row.length} bytes, ${goesOn ? 'then the rest' : 'then silence'}`
        const target = await startTarget(t, {
          onBytes: (tls, bytes) => {
            if (bytes[0] === 0x51) tls.write(Buffer.concat([rowHead, row.subarray(0, sent)]))
          },
        })
        seen.ends.length = 0
        const { port, serverName, ca } = target
        control.route = { host: '127.0.0.1', port, serverName, ca }
        let rest = () => {}
        const { onBytes } = target.script
        target.script = {
          onBytes: (tls, bytes) => {
            onBytes?.(tls, bytes)
            rest = () => void tls.write(Buffer.concat([row.subarray(sent), row, row]))
          },
          onCancel: (tls) => void tls.end(),
        }
        const client = await connectRaw(t, engine.port)
        client.send(query('select'))
        await until(
          () =>
            client.answers.at(-1)?.type === (sent === row.length ? 'D' : 'T') && client.left() === sent % row.length,
          name,
        )
        const since = performance.now()
        await engine.cut()
        if (goesOn) rest()
        await client.closed
        t.ok(performance.now() - since < 1000, name)
        const types = client.answers.map(({ type }) => type).join('')
        if (goesOn || sent === 0) {
          t.match(lastError(client), { C: '57P01' }, name)
          t.match(types, sent === 0 ? /TE$/ : /TDE$/, 'and nothing behind the message that was on its way')
          t.equal(client.left(), 0)
        } else t.match(types, /T$/, 'bytes inside a message would be taken for a row')
        await engine.ended(1)
        checkBooks(t)
      }
  },
)

t.test('a cancel that does not arrive holds nothing up, and is put on record', async (t) => {
  let hasArrived = false
  const onBytes = () => {
    hasArrived = true
  }
  const target = await startTarget(t, { onBytes, onCancel: () => {} })
  const { port, serverName, ca } = target
  control.route = { host: '127.0.0.1', port, serverName, ca }
  const client = await connectRaw(t, engine.port)
  client.send(query('delete from everything'))
  await until(() => hasArrived, 'the statement has arrived')
  const since = performance.now()
  await engine.cut()
  await client.closed
  t.ok(performance.now() - since < 1000)
  await engine.ended(1)
  t.ok(performance.now() - since < 1200, `left after ${Math.round(performance.now() - since)} ms`)
  t.match(seen.ends[0], { reason: 'grant-revoked', error: { code: 'TARGET_UNREACHABLE', detail: /not cancelled/ } })
})

t.test('a session that ended by itself is not ended again by a cut', async (t) => {
  const client = await connectRaw(t, engine.port)
  client.send(message('X'))
  client.socket.end()
  await engine.ended(1)
  await engine.cut()
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(seen.ends.length, 1)
  t.equal(seen.ends[0]?.reason, 'client-closed')
})

t.test('what the target says when it closes reaches the client', async (t) => {
  const target = await startTarget(t, {
    onBytes: (tls) => void tls.end(fatal('57P01', 'terminating connection due to administrator command')),
  })
  const { port, serverName, ca } = target
  control.route = { host: '127.0.0.1', port, serverName, ca }
  const client = await connectRaw(t, engine.port)
  client.send(query('select 1'))
  await client.closed
  t.match(lastError(client), { C: '57P01', M: /administrator command/ })
  await engine.ended(1)
  t.match(seen.ends[0], { reason: 'upstream-closed' })
  t.match(seen.entries[0], { error: { code: '57P01' } })
})

t.test('a target that breaks the protocol ends the session, and none of what it said then goes on', async (t) => {
  for (const [name, bytes] of [
    ['an unknown type', Buffer.concat([row, message('?', Buffer.from('x'))])],
    ['a password request', message('R', Buffer.from([0, 0, 0, 3]))],
    ['replication', message('W', Buffer.from([0, 0, 0]))],
    ['a length that cannot be', Buffer.from([0x43, 0, 0, 0, 3])],
  ] as const) {
    const target = await startTarget(t, { onBytes: (tls) => void tls.write(bytes) })
    seen.ends.length = 0
    const { port, serverName, ca } = target
    control.route = { host: '127.0.0.1', port, serverName, ca }
    const client = await connectRaw(t, engine.port)
    client.send(query('select 1'))
    await client.closed
    t.match(lastError(client), { C: '08006', M: /violated the protocol/ }, name)
    t.equal(client.answers.at(-2)?.type, 'Z', 'nothing of that chunk')
    await engine.ended(1)
    t.match(seen.ends[0], { reason: 'upstream-failed' })
  }
})

t.test('a statement while COPY data is expected can’t be told apart, so it ends the session', async (t) => {
  const client = await connectRaw(t, engine.port)
  client.send(query('create temp table c (n int)'), query('copy c from stdin'))
  await until(() => client.answers.at(-1)?.type === 'G', 'it copies')
  client.send(copyData('1\n'), query('select 1'))
  await client.closed
  t.match(lastError(client), { C: '08P01', M: /COPY FROM STDIN/ })
  await engine.ended(1)
  t.match(seen.ends[0], { reason: 'protocol-error' })
  t.match(seen.entries.at(-1), { sql: 'copy c from stdin', unfinished: true })
  await stopped('copy c from stdin')
})

t.test('the sign-in is one write: no client sees half of it', async (t) => {
  const client = await connectRaw(t, engine.port, { untilReady: false })
  const [first] = (await once(client.socket, 'data')) as [Buffer]
  t.equal(first.toString('latin1', 0, 1), 'R')
  t.equal(first.toString('latin1', first.length - 6, first.length - 5), 'Z')
  t.ok(signedIn.length < first.length)
})
