/** The NOTICE before a session ends comes between two messages, and not amid a COPY, whatever the session does. */
import pg from 'pg'
import t, { type Test } from 'tap'
import { startCommand } from '../../sandbox/commands.ts'
import { skipWithout } from '../../sandbox/programs.ts'
import { startEngine, until } from './engine-fixture.ts'
import * as raw from './raw-client.ts'
import { type Script, startTarget } from './scripted-target.ts'

const engine = await startEngine()
t.teardown(() => engine.close())
const { control, env } = engine
const skip = skipWithout('psql')

t.beforeEach(() => {
  control.route = {}
})

const { connectRaw, copyData, copyDone, cstring, message, query } = raw
const row = message('D', Buffer.from([0, 1, 0, 0, 0, 4]), Buffer.from('rows'))
const rowHead = message('T', Buffer.from([0, 1]), cstring('n'), Buffer.alloc(18))
const complete = message('C', cstring('SELECT 1'))
const ready = message('Z', Buffer.from('I'))
const copyResponse = (type: 'G' | 'H') => message(type, Buffer.from([0, 0, 1, 0, 0]))

/** A session whose target says what the test wants, each time it is asked for something. */
async function scripted(t: Test) {
  let say = (_: readonly Buffer[]): void => {}
  let heard = 0
  const script: Script = {
    onBytes: (tls) => {
      heard += 1
      say = (messages) => void tls.write(Buffer.concat(messages))
    },
  }
  const { port, serverName, ca } = await startTarget(t, script)
  control.route = { host: '127.0.0.1', port, serverName, ca }
  const client = await connectRaw(t, engine.port)
  const from = client.answers.length
  /** Sends it, and waits until the target has it. */
  const ask = async (...messages: readonly Buffer[]) => {
    const before = heard
    client.send(...messages)
    await until(() => heard > before, 'the target is asked')
  }
  const types = () =>
    client.answers
      .slice(from)
      .map(({ type }) => type)
      .join('')
  /** Has the target say it. @param then what the client has got by then, by type */
  const answer = async (messages: readonly Buffer[], then: RegExp) => {
    say(messages)
    await until(
      () => then.test(types()),
      () => `${then}: ${types()}`,
    )
  }
  return { client, ask, answer, types }
}

/** Each end is earlier than the one before, so that it is told of at once. */
let leftMs = 299_000
const becomeDue = async () => {
  leftMs -= 1000
  await engine.move(leftMs)
}

t.test('a row of which a part was sent is sent whole first, wherever it was cut', async (t) => {
  const { client, ask, answer, types } = await scripted(t)
  for (let cut = 0; cut < row.length; cut += 1) {
    const before = types().length
    await ask(query('select'))
    await answer([rowHead, row.subarray(0, cut)], /T$/)
    await until(() => client.left() === cut, `${cut} bytes of the row`)
    await becomeDue()
    if (cut === 0) await until(() => types().endsWith('TN'), 'at once, between two messages')
    else t.equal(client.left(), cut, 'nothing amid it')
    await answer([row.subarray(cut)], cut === 0 ? /TND$/ : /TDN$/)
    await answer([complete, ready], /CZ$/)
    t.equal(types().slice(before), cut === 0 ? 'TNDCZ' : 'TDNCZ')
  }
})

t.test('amid a COPY in either direction nothing is said until it has ended', async (t) => {
  const { ask, answer, types } = await scripted(t)
  await ask(query('copy out'))
  await answer([copyResponse('H')], /H$/)
  await becomeDue()
  await answer([copyData('a\n')], /d$/)
  await becomeDue()
  await answer([copyData('b\n'), message('c')], /c$/)
  await answer([complete], /CN$/)
  await answer([ready], /Z$/)
  t.equal(types(), 'HddcCNZ')

  await ask(query('copy in'))
  await answer([copyResponse('G')], /G$/)
  await becomeDue()
  await ask(copyData('a\n'))
  await ask(copyDone)
  await answer([complete], /CN$/)
  await answer([ready], /Z$/)
  t.equal(types(), 'HddcCNZGCNZ')
})

t.test('between the parts of a portal, and amid a pipeline', async (t) => {
  const client = await connectRaw(t, engine.port)
  const types = () => client.answers.map(({ type }) => type).join('')
  await raw.exchange(client, [query('begin')])
  const flush = message('H')
  client.send(raw.parse('', 'select generate_series(1, 5)'), raw.bind('p', ''), raw.execute('p', 2), flush)
  await until(() => types().endsWith('12DDs'), 'two rows')
  await becomeDue()
  await until(() => types().endsWith('12DDsN'), 'it is told between them')
  client.send(raw.execute('p', 2), flush)
  await until(() => types().endsWith('DDs'), 'two more')
  await raw.exchange(client, [raw.execute('p'), raw.sync, query('commit')])
  t.match(types(), /12DDsNDDsDCZCZ$/)

  const statement = [raw.bind('', ''), raw.execute('')]
  const before = client.answers.length
  client.send(
    raw.parse('', "select pg_sleep(0.005), repeat('x', 3000)"),
    ...Array.from({ length: 100 }, () => statement).flat(),
    raw.sync,
  )
  await until(() => client.answers.length > before + 3, 'it is answered')
  await becomeDue()
  await until(() => /Z/.test(types().slice(before)) && /N/.test(types().slice(before)), 'all of it')
  t.equal(types().slice(before).replace('N', ''), `1${'2DC'.repeat(100)}Z`)
  t.equal(types().slice(before).split('N').length, 2, 'once')
})

t.test('a client library reads on', async (t) => {
  const client = new pg.Client({ host: '127.0.0.1', port: engine.port, user: 'anyone', database: 'orders' })
  const notices: unknown[] = []
  client.on('notice', (notice) => notices.push(notice))
  await client.connect()
  const slow = "select n, repeat('x', 5000) as wide, pg_sleep(0.001) from generate_series(1, 400) as n"
  const answered = client.query(slow)
  const before = engine.relayed().down
  await until(() => engine.relayed().down > before, 'rows come')
  await becomeDue()
  const { rows } = await answered
  t.strictSame([rows.length, rows.at(-1)?.n, rows.every(({ wide }) => wide.length === 5000)], [400, 400, true])
  t.match(notices, [{ message: /^this session ends in/ }])
  await client.end()
})

for (const [name, args, feed] of [
  [
    'out',
    ['-c', "copy (select repeat('x', 3000), pg_sleep(0.005) from generate_series(1, 500)) to stdout", '-c', 'select 1'],
    false,
  ],
  ['in', ['-c', 'create temp table c (x text)', '-c', '\\copy c from stdin', '-c', 'select count(*) from c'], true],
] as const)
  t.test(`psql in COPY ${name}`, { skip }, async (t) => {
    const before = engine.relayed()
    const psql = startCommand('psql', ['-XAt', ...args], env, feed ? null : '')
    const line = `${'x'.repeat(3000)}\n`
    if (feed) for (let i = 0; i < 250; i += 1) psql.child.stdin?.write(line)
    const moved = () => (feed ? engine.relayed().up - before.up : engine.relayed().down - before.down)
    await until(() => moved() > 100_000, 'some of it has passed')
    await becomeDue()
    if (feed) for (let i = 0; i < 250; i += 1) psql.child.stdin?.write(line)
    psql.child.stdin?.end()
    const { code, stdout, stderr } = await psql.ended
    t.equal(code, 0, stderr)
    t.match(stderr, /^NOTICE: {2}this session ends in/m)
    if (feed) t.match(stdout, /\n500\n$/)
    else t.equal(stdout.split('\n').filter((text) => text.startsWith(line.trim())).length, 500)
  })
