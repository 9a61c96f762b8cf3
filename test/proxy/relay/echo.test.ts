/** What the relay gives to a protocol that it has never heard of: everything but the protocol. */
import { duplexPair } from 'node:stream'
import t from 'tap'
import { BrokerError } from '../../../proxy/session.ts'
import { quietFor, waitUntil } from '../../wait-until.ts'
import { resourceId, startEcho, token } from './echo-house.ts'
import { identity, origin } from './scripted-doorman.ts'

const house = await startEcho(t)
const { seen, control, target, errors } = house
const revoked = 'cut grant-revoked access was revoked by bob@example.com: incident 42\n'

t.beforeEach(async () => {
  await waitUntil(() => target.sockets.size === 0, 'the target is left by the test before')
  seen.entries.length = 0
  seen.ends.length = 0
  seen.asks.length = 0
  seen.unidentified.length = 0
  target.lines.length = 0
})

t.test('a session: permit, lease, dial, entries, byte counts and books', async (t) => {
  const before = { taken: house.leases.taken, ...seen.relayed }
  const client = await house.open()
  await client.hears('welcome echo_ro\n')
  client.say('one', 'two')
  await client.hears('echo: two\n')
  client.say('quit')
  await client.closed
  await house.ended(1)
  t.match(seen.asks, [{ identity, resourceId, carrier: { protocol: 'echo' } }])
  t.equal(house.leases.taken, before.taken + 1)
  t.same(target.lines, ['the secret', 'one', 'two', 'quit', 'quit'], 'the client’s farewell, and that of the broker')
  t.match(seen.entries, [
    { type: 'line', line: 'one', answer: 'echo: one' },
    { type: 'line', line: 'two', answer: 'echo: two' },
  ])
  t.match(seen.details.at(-1), { user: 'echo_ro' })
  const [up, down] = ['one\ntwo\nquit\n'.length, 'echo: one\necho: two\nbye\n'.length]
  t.match(seen.ends, [{ reason: 'client-closed', bytesUp: up, recording: { digest: 'sealed', entries: 2 } }])
  t.ok([down, down - 'bye\n'.length].includes(seen.ends[0]?.bytesDown ?? 0))
  await waitUntil(() => seen.relayed.up > before.up, 'the counts are reported')
  t.same(
    [seen.relayed.up - before.up, seen.relayed.down - before.down, seen.statements],
    [up, seen.ends[0]?.bytesDown, 2],
  )
  await waitUntil(() => target.sockets.size === 0, 'the target is left')
})

t.test('a client that signed in elsewhere comes through a stream', async (t) => {
  const [client, stream] = duplexPair()
  const served = house.protocol.serveStream(stream, { identity, resourceId, level: 'readonly', client: origin })
  client.write('sent ahead\n')
  let heard = ''
  client.setEncoding('utf8').on('data', (chunk: string) => {
    heard += chunk
  })
  await waitUntil(
    () => heard === 'welcome echo_ro\necho: sent ahead\n',
    () => heard,
  )
  client.end()
  t.equal(await served, 'client-closed')
})

t.test(
  'the bound of a cut: the client is told in the protocol’s words, the work is cancelled, the target left',
  async (t) => {
    for (const [state, line, isCancelled] of [
      ['idle', 'one', false],
      ['amid work', 'slow', true],
    ] as const) {
      seen.ends.length = 0
      target.lines.length = 0
      const client = await house.open()
      await client.hears('welcome')
      client.say(line)
      await waitUntil(() => target.lines.includes(line), `${line} has arrived`)
      if (line === 'one') await client.hears('echo: one\n')
      const since = performance.now()
      await house.cut()
      await client.hears(revoked)
      await client.closed
      await waitUntil(() => target.sockets.size === 0, 'the target is left')
      t.ok(performance.now() - since < 1000, `${state}: ${Math.round(performance.now() - since)} ms`)
      await house.ended(1)
      t.match(seen.ends, [{ reason: 'grant-revoked', stoppedAt: Number, decidedAt: Number }], state)
      if (isCancelled) await waitUntil(() => target.lines.includes('cancel'), 'the work is cancelled')
      else t.notOk(target.lines.includes('cancel'), state)
    }
    t.match(seen.entries.at(-1), { line: 'slow', unfinished: true })
  },
)

t.test('amid an answer that never ends the client is not told, since it would take it for the answer', async (t) => {
  const client = await house.open()
  client.say('half')
  await client.hears('echo: ha')
  const since = performance.now()
  await house.cut()
  await client.closed
  t.ok(performance.now() - since < 1000)
  t.match(client.heard(), /echo: ha$/)
  await house.ended(1)
  t.match(seen.ends, [{ reason: 'grant-revoked' }])
  await waitUntil(() => target.lines.includes('cancel'), 'the work is cancelled')
})

t.test('a cut that is pushed before the session is known here', async (t) => {
  control.cutEarly = { reason: 'principal-locked', text: 'your account was locked', decidedAt: Date.now() }
  t.teardown(() => {
    control.cutEarly = undefined
  })
  const client = await house.open()
  await client.closed
  t.equal(client.heard(), 'cut principal-locked your account was locked\n')
  await house.ended(1)
  t.match(seen.ends, [{ reason: 'principal-locked', decidedAt: control.cutEarly.decidedAt }])
  t.same(target.lines, [], 'and nothing was dialled')
})

t.test('while the target does not answer a cut gives the sign-in up', async (t) => {
  target.isMute = true
  t.teardown(() => {
    target.isMute = false
  })
  const client = await house.open()
  await waitUntil(() => target.lines.length > 0, 'it was dialled')
  await house.cut()
  await client.closed
  t.equal(client.heard(), revoked)
  await house.ended(1)
  t.match(seen.ends, [{ reason: 'grant-revoked' }])
  await waitUntil(() => target.sockets.size === 0, 'the target is left')
})

t.test('an idle session ends, one that waits for an answer does not', async (t) => {
  const other = await startEcho(t, { idleTimeoutMs: 300 })
  const client = await other.open()
  await client.hears('welcome')
  client.say('slow')
  await quietFor(500, 'work is no idleness')
  t.equal(other.seen.ends.length, 0)
  const idle = await other.open()
  await idle.closed
  t.match(idle.heard(), /\ncut idle the session was idle for 0 seconds\n$/)
  await other.ended(1)
  t.match(other.seen.ends, [{ reason: 'idle', stoppedAt: Number }])
})

t.test('a limit ends the session before what goes beyond it', async (t) => {
  house.rules.current = { maxLines: 2 }
  t.teardown(() => {
    house.rules.current = { maxLines: 0 }
  })
  const client = await house.open()
  client.say('1', '2', '3')
  await client.closed
  t.match(client.heard(), /echo: 1\necho: 2\nerror LIMIT_REACHED .*at most 2 lines\n$/)
  await house.ended(1)
  t.match(seen.ends, [{ reason: 'limit-reached' }])
})

t.test('a recorder that is behind pauses both sides, and one that breaks ends the session', async (t) => {
  const client = await house.open()
  await client.hears('welcome')
  control.isFull = true
  client.say('first')
  await client.hears('echo: first\n')
  client.say('second')
  await quietFor(50, 'nothing is read while the recorder is behind')
  t.notOk(target.lines.includes('second'))
  t.equal(seen.entries.length, 1)
  control.isFull = false
  control.drain()
  await client.hears('echo: second\n')
  control.breaks = true
  t.teardown(() => {
    control.breaks = false
  })
  client.say('third')
  await client.closed
  t.match(client.heard(), /\nerror RECORDING_FAILED [^\n]*\n$/)
  await house.ended(1)
  t.match(seen.ends, [{ reason: 'recording-failed', error: { code: 'RECORDING_FAILED' } }])
})

t.test('a client that leaves amid work: it is cancelled, and nothing stays open', async (t) => {
  const client = await house.open()
  client.say('slow')
  await waitUntil(() => target.lines.includes('slow'), 'it has arrived')
  client.socket.destroy()
  await house.ended(1)
  t.match(seen.ends, [{ reason: 'client-closed' }])
  await waitUntil(() => target.lines.includes('cancel') && target.sockets.size === 0, 'cancelled and left')
})

t.test('a target that is lost, one that says goodbye, and one that cannot be reached', async (t) => {
  const lost = await house.open()
  lost.say('die')
  await lost.closed
  t.match(lost.heard(), /\nerror TARGET_LOST [^\n]*\n$/)
  await house.ended(1)
  const left = await house.open()
  left.say('bye')
  await left.closed
  t.match(left.heard(), /\nbye\n$/)
  await house.ended(2)
  const { port } = house.address
  house.address.port = 1
  t.teardown(() => {
    house.address.port = port
  })
  const unreachable = await house.open()
  await unreachable.closed
  t.match(unreachable.heard(), /^error TARGET_UNREACHABLE [^\n]*ECONNREFUSED\n$/)
  await house.ended(3)
  t.match(
    seen.ends.map(({ reason, error }) => [reason, error?.code]),
    [
      ['upstream-failed', 'TARGET_LOST'],
      ['upstream-closed', undefined],
      ['open-failed', 'TARGET_UNREACHABLE'],
    ],
  )
})

t.test('a refusal of the doorman comes in the protocol’s words, and nothing is dialled', async (t) => {
  control.refusal = new BrokerError('GRANT_DENIED', 'you hold no grant')
  t.teardown(() => {
    control.refusal = undefined
  })
  const client = await house.open()
  await client.closed
  t.equal(client.heard(), 'error GRANT_DENIED access was not granted: you hold no grant\n')
  t.same([seen.ends, target.lines], [[], []])
})

t.test('who is not known, breaks the protocol or says nothing has no session', async (t) => {
  const before = house.signedIn.count
  for (const [first, code] of [
    ['a wrong one\n', 'TOKEN_INVALID'],
    ['x'.repeat(300), 'PROTOCOL_ERROR'],
    ['', 'HANDSHAKE_TIMEOUT'],
  ] as const) {
    const client = await house.open(first)
    await client.closed
    t.match(client.heard(), new RegExp(`^error ${code} [^\\n]*\\n$`))
    await waitUntil(() => seen.unidentified.includes(code), code)
  }
  t.equal(house.signedIn.count, before)
  t.same([seen.asks, target.lines], [[], []])
})

t.test('bytes that the protocol does not know end a session that runs', async (t) => {
  const client = await house.open(`${token}\n${'x'.repeat(70_000)}`)
  await client.closed
  t.match(client.heard(), /error PROTOCOL_ERROR [^\n]*a line without end\n$/)
  await house.ended(1)
  t.match(seen.ends, [{ reason: 'protocol-error' }])
})

t.test('a request that the broker answers is not forwarded, and its answer comes in its turn', async (t) => {
  const client = await house.open()
  client.say('one', 'own A', 'own', 'two', 'own B', 'own C')
  await client.hears('own: C\n')
  t.equal(client.heard(), 'welcome echo_ro\necho: one\nown: A\necho: two\nown: B\nown: C\n')
  t.same(target.lines, ['the secret', 'one', 'two'])
  t.match(
    seen.entries.map(({ line }) => line),
    ['one', 'own A', 'own', 'two', 'own B', 'own C'],
    'and each is on record',
  )
  client.say('slow', 'own D', 'three')
  await waitUntil(() => target.lines.includes('slow'), 'slow has arrived')
  await quietFor(50, 'an answer before it is not there yet')
  t.same([target.lines.at(-1), client.heard().includes('own: D')], ['slow', false])
  client.socket.destroy()
  await house.ended(1)
})

t.test('in pieces: of a line that is not whole nothing is forwarded', async (t) => {
  const client = await house.open()
  await client.hears('welcome')
  for (const piece of ['o', 'wn A', '\non', 'e\no', 'wn B\n', 'two\n']) {
    client.socket.write(piece)
    await quietFor(10, 'each piece is a chunk of its own')
  }
  await client.hears('echo: two\n')
  t.equal(client.heard(), 'welcome echo_ro\nown: A\necho: one\nown: B\necho: two\n')
  t.same(target.lines, ['the secret', 'one', 'two'])
  client.socket.destroy()
  await house.ended(1)
})

t.test('an answer that takes its time: nothing more is read, and a cut does not wait for it', async (t) => {
  const looked = Promise.withResolvers<string>()
  house.own.lookUp = () => looked.promise
  t.teardown(() => {
    house.own.lookUp = async (word) => `own: ${word}`
  })
  const client = await house.open()
  await client.hears('welcome')
  client.say('own A', 'one')
  await quietFor(50, 'nothing goes on before the answer')
  client.say('two')
  await quietFor(50, 'nor what is sent later')
  t.same([target.lines, seen.entries], [['the secret'], []])
  looked.resolve('found')
  await client.hears('found\necho: one\necho: two\n')
  const never = Promise.withResolvers<string>()
  house.own.lookUp = () => never.promise
  client.say('own B', 'three')
  await quietFor(50, 'it is being looked up')
  await house.cut()
  await client.closed
  t.match(client.heard(), /two\ncut grant-revoked [^\n]*\n$/)
  await house.ended(1)
  t.match(seen.entries.at(-1), { line: 'own B', unfinished: true })
  const count = seen.entries.length
  never.resolve('too late')
  await quietFor(20, 'and is not recorded any more')
  t.same([seen.entries.length, target.lines.includes('three')], [count, false])
})

t.test('an answer that fails ends the session', async (t) => {
  house.own.lookUp = async () => {
    throw new Error('the store is on fire')
  }
  t.teardown(() => {
    house.own.lookUp = async (word) => `own: ${word}`
  })
  const client = await house.open()
  client.say('own A')
  await client.closed
  t.match(client.heard(), /error INTERNAL [^\n]*\n$/)
  t.notMatch(client.heard(), /fire/)
  await house.ended(1)
})

t.test('where recordings are strict, what the broker answers is on file first', async (t) => {
  house.rules.isStrict = true
  t.teardown(() => {
    house.rules.isStrict = false
    control.holds = false
  })
  const looked: string[] = []
  house.own.lookUp = async (word) => {
    looked.push(word)
    return `own: ${word}`
  }
  const client = await house.open()
  await client.hears('welcome')
  control.holds = true
  client.say('own A', 'one')
  await waitUntil(() => seen.entries.length > 0, 'the entry is written')
  await quietFor(50, 'it is not on file yet')
  t.match(seen.entries, [{ line: 'own A', begun: true }])
  t.same(looked, [])
  control.written()
  await client.hears('own: A\n')
  await waitUntil(() => seen.entries.some(({ line }) => line === 'one'), 'the next one waits likewise')
  t.notOk(target.lines.includes('one'))
  control.written()
  await client.hears('echo: one\n')
  client.socket.destroy()
  await house.ended(1)
})

t.test('what the client is told at the end may say how far the conversation came', async (t) => {
  house.rules.current = { maxLines: 2, isNumbered: true }
  t.teardown(() => {
    house.rules.current = { maxLines: 0 }
  })
  const limited = await house.open()
  limited.say('1', '2', '3')
  await limited.closed
  t.match(limited.heard(), /echo: 2\n2 error LIMIT_REACHED [^\n]*\n$/)
  const cut = await house.open()
  cut.say('one')
  await cut.hears('echo: one\n')
  await house.cut()
  await cut.closed
  t.match(cut.heard(), /echo: one\n1 cut grant-revoked [^\n]*\n$/)
  await house.ended(2)
})

t.test('nothing else went wrong', async (t) => {
  t.same(errors, [])
})

t.test('before its end a client is told, between two messages, and again when the end has moved', async (t) => {
  control.leftMs = 300_150
  t.teardown(() => {
    control.leftMs = 3_600_000
  })
  const client = await house.open()
  await client.hears('welcome')
  client.say('one')
  await client.hears('ending grt_1 300\n')
  t.match(client.heard(), 'echo: one\n')
  client.say('half')
  await client.hears('echo: ha')
  await house.move(60_000)
  t.match(client.heard(), /echo: ha$/, 'not amid a message')
  for (const socket of target.sockets) socket.write('lf\n')
  await client.hears('echo: half\nending grt_1 60\n')
  await house.move(60_150)
  await waitUntil(() => client.heard().split('ending grt_1 60\n').length === 3, 'it is told anew')
  client.say('quit')
  await client.closed
  t.equal(client.heard().split('ending').length, 4)
})
