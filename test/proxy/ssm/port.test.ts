/** Port sessions against the sandbox's agent, which dials real TCP ports. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { type PortOptions, PortSession } from '../../../proxy/ssm/smux-session.ts'
import { makeKey } from '../../sandbox/ssm/gateway.ts'
import type { AgentOptions } from '../../sandbox/ssm/work.ts'
import { quietFor, waitUntil } from '../../wait-until.ts'
import { openSession } from './session-fixture.ts'

/** A TCP server that only the agent dials. */
async function listen(t: Test, serve: (socket: Socket) => void, allowHalfOpen = false): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen }, (socket) => {
    sockets.add(socket.on('error', () => {}))
    serve(socket)
  })
  server.listen(0, 'localhost')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return String((server.address() as AddressInfo).port)
}

const echo = (socket: Socket) => void socket.pipe(socket)

async function openPort(
  t: Test,
  portNumber: string,
  options: Partial<PortOptions> = {},
  agent: Partial<AgentOptions> = {},
) {
  const properties = { portNumber, localPortNumber: '0', type: 'LocalPortForwarding' }
  const opened = await openSession(t, { sessionType: 'Port', properties }, agent)
  const expected = { portNumber, type: 'LocalPortForwarding' }
  const port = new PortSession({ ...opened.options, expected, ...options })
  t.teardown(() => port.close())
  return { ...opened, port }
}

/** Writes all, and reads as much back. */
async function roundTrip(stream: Duplex, bytes: Buffer): Promise<Buffer> {
  stream.write(bytes)
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    chunks.push(chunk)
    length += chunk.length
    if (length >= bytes.length) break
  }
  return Buffer.concat(chunks)
}

/** Also where an error comes first. */
function closing(stream: Duplex): Promise<void> {
  return new Promise((resolve) => void stream.once('close', resolve))
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const fast: Partial<AgentOptions> = { pauseMs: 0 }

t.test('many connections at once, each with its own bytes', async (t) => {
  const { port, session } = await openPort(t, await listen(t, echo), {}, fast)
  const sent = Array.from({ length: 12 }, (_, i) => randomBytes(5000 + i * 3001))
  const received = await Promise.all(sent.map(async (bytes) => roundTrip(await port.open(), bytes)))
  t.same(received.map(sha256), sent.map(sha256))
  t.equal(port.size, 12)
  t.same(session.faults, [])
})

t.test('a port that refuses: the stream is told, and others are not', async (t) => {
  const { port } = await openPort(t, '1')
  const [first, second] = [await port.open(), await port.open()]
  const refused = await Promise.all([once(first, 'error'), once(second, 'error')])
  t.match(refused, [[{ code: 'ECONNREFUSED' }], [{ code: 'ECONNREFUSED' }]])
  t.equal(port.size, 0)
})

t.test('12.11: half-close: the reply to an ended request still arrives', async (t) => {
  const reply = randomBytes(40_000)
  const answerAtEnd = (socket: Socket) => {
    let asked = 0
    socket.on('data', (data) => {
      asked += data.length
      if (asked === 7) socket.end(reply) // it answers to the request, since its end cannot be seen
    })
  }
  const { port, session } = await openPort(t, await listen(t, answerAtEnd, true))
  const stream = await port.open()
  stream.end('request')
  t.equal(sha256(await buffer(stream)), sha256(reply))
  t.equal(port.size, 0)
  t.same(session.faults, [])
})

t.test('12.11: half-close: the end is sent when the other side is silent for too long', async (t) => {
  const ended: boolean[] = []
  const server = await listen(t, (socket) => void socket.resume().once('end', () => ended.push(true)), true)
  const { port } = await openPort(t, server, { halfClosedMs: 200 })
  const stream = await port.open()
  stream.end('request')
  t.equal((await buffer(stream)).length, 0)
  await waitUntil(() => ended.length === 1, 'the server has seen the end')
})

t.test('S-1, 12.10: a stream that is not read is reset, and the others go on', async (t) => {
  const flood = (socket: Socket) => {
    socket.once('data', (data) => {
      if (data.toString() === 'flood') {
        const more = () => {
          while (!socket.destroyed && socket.write(Buffer.alloc(16_384)));
        }
        socket.on('drain', more)
        more()
      } else {
        socket.write(data)
        socket.pipe(socket)
      }
    })
  }
  const { port } = await openPort(t, await listen(t, flood), { unreadBytes: 256 * 1024 })
  const stalled = await port.open()
  const closed = closing(stalled)
  stalled.write('flood')
  const lively = await port.open()
  t.equal((await roundTrip(lively, Buffer.from('?'))).toString(), '?')
  let pings = 0
  while (!stalled.destroyed && pings < 1000) {
    t.equal((await roundTrip(lively, Buffer.from('0123456789'))).toString(), '0123456789')
    pings += 1
  }
  await closed
  t.ok(pings > 3, `${pings} pings meanwhile`)
  t.match(stalled.errored, { message: /unread/ })
  t.equal((await roundTrip(lively, Buffer.from('still here'))).toString(), 'still here')
})

t.test('S-2: reordered and doubled messages, then a drop, and other credentials meanwhile', async (t) => {
  const { port, session, use, gateway, tickets } = await openPort(t, await listen(t, echo), {}, fast)
  const stream = await port.open()
  session.down.reorder = 0.2
  session.down.duplicate = 0.2
  session.up.reorder = 0.2
  const sent = randomBytes(60_000)
  const [first, second] = [sent.subarray(0, 30_000), sent.subarray(30_000)]
  t.equal(sha256(await roundTrip(stream, first)), sha256(first))
  use(makeKey())
  for (const key of gateway.keys.slice(0, -1)) key.expiresAt = 0
  session.cut()
  t.equal(sha256(await roundTrip(stream, second)), sha256(second))
  t.equal(session.opened, 2)
  t.equal(tickets(), 2)
  t.same(gateway.refused, [], 'no upgrade was tried with the old credentials')
  t.same(session.faults, [])
})

t.test('S-3: a lost acknowledgement and a doubled message change no byte, and a resend keeps its number', async (t) => {
  const { port, session } = await openPort(t, await listen(t, echo), {}, fast)
  const stream = await port.open()
  let acknowledgements = 0
  session.down.script = (bytes) => (isAcknowledge(bytes) && ++acknowledgements === 3 ? 0 : 1)
  let data = 0
  const seen = new Map<string, string>()
  const altered: string[] = []
  session.up.script = (bytes) => {
    if (isAcknowledge(bytes)) return 1
    const sequence = bytes.readBigInt64BE(48).toString()
    const before = seen.get(sequence)
    seen.set(sequence, sha256(bytes))
    if (before !== undefined && before !== sha256(bytes)) altered.push(sequence)
    data += 1
    return data === 5 ? 2 : 1
  }
  const sent = randomBytes(200_000)
  t.equal(sha256(await roundTrip(stream, sent)), sha256(sent))
  await waitUntil(() => session.agent.link.counts.duplicates >= 2, 'the agent saw both again')
  t.equal(session.down.counts.dropped, 1)
  t.same(altered, [], 'what is sent again is as it was')
  t.same(session.faults, [])
})

const isAcknowledge = (bytes: Buffer) => bytes.toString('latin1', 4, 15) === 'acknowledge'

t.test('30 % of the messages dropped, reordered and doubled, both ways: the same bytes', async (t) => {
  const { port, session } = await openPort(t, await listen(t, echo), {}, fast)
  const stream = await port.open()
  for (const way of [session.up, session.down]) Object.assign(way, { drop: 0.3, duplicate: 0.3, reorder: 0.3 })
  const sent = randomBytes(20_000)
  t.equal(sha256(await roundTrip(stream, sent)), sha256(sent))
  t.ok(session.up.counts.dropped > 0 && session.down.counts.dropped > 0)
  t.same(session.faults, [])
})

t.test('12.2, 12.7: "Bye" in mid-stream: the same client, the same session, the same bytes', async (t) => {
  const { port, session } = await openPort(t, await listen(t, echo))
  const stream = await port.open()
  const sent = randomBytes(300_000)
  const received = roundTrip(stream, sent)
  for (const count of [1, 2, 3]) {
    await waitUntil(() => session.agent.link.counts.received > 40 * count && session.isAttached, 'it is under way')
    session.bye()
    await waitUntil(() => session.opened > count, 'it is back')
  }
  t.equal(sha256(await received), sha256(sent))
  t.same(session.faults, [])
})

t.test('a document that was altered: another port or host, no forwarding, or a shell', async (t) => {
  const expected = { portNumber: '5432', host: 'db.internal', type: 'LocalPortForwarding' }
  for (const properties of [
    { portNumber: '5433', host: 'db.internal', type: 'LocalPortForwarding' },
    { portNumber: '5432', host: '169.254.169.254', type: 'LocalPortForwarding' },
    { portNumber: '5432', type: 'LocalPortForwarding' },
    { portNumber: '5432', host: 'db.internal' },
  ]) {
    const { options } = await openSession(t, { sessionType: 'Port', properties: properties as Record<string, string> })
    await t.rejects(new PortSession({ ...options, expected }).open(), { code: 'TARGET_REFUSED' })
  }
  const { options } = await openSession(t, { sessionType: 'NonInteractiveCommands', command: 'sleep 9' })
  await t.rejects(new PortSession({ ...options, expected }).open(), { code: 'TARGET_REFUSED', message: /another type/ })
})

t.test('an agent that is too old is refused in words', async (t) => {
  const { port } = await openPort(t, '1', {}, { agentVersion: '3.0.196.0' })
  await t.rejects(port.open(), { code: 'UNSUPPORTED', message: /3\.0\.196\.0 carries no connections/ })
})

t.test('12.8: keepalives with an agent that sends them, and none with others', async (t) => {
  const server = await listen(t, echo)
  const old = await openPort(t, server, { keepaliveMs: 100 }, { agentVersion: '3.1.1511.0', keepaliveMs: 100 })
  const stream = await old.port.open()
  const { received } = old.session.agent.link.counts
  await waitUntil(() => old.session.agent.link.counts.received > received + 6, 'keepalives arrive')
  t.equal((await roundTrip(stream, Buffer.from('alive'))).toString(), 'alive', 'beyond three of them')
  const modern = await openPort(t, server, { keepaliveMs: 20 })
  const other = await modern.port.open()
  t.equal((await roundTrip(other, Buffer.from('alive'))).toString(), 'alive')
  await quietFor(200, 'ten periods without a keepalive')
  t.equal((await roundTrip(other, Buffer.from('alive'))).toString(), 'alive')
  t.equal(modern.session.agent.link.counts.received, 4, 'the response, the opening, the data')
})

t.test('an agent that falls silent although it sends keepalives has lost the session', async (t) => {
  const { port, session } = await openPort(
    t,
    await listen(t, echo),
    { keepaliveMs: 50 },
    { agentVersion: '3.1.1511.0', keepaliveMs: 50 },
  )
  const stream = await port.open()
  session.down.script = () => 0
  await closing(stream)
  t.match(await port.ended, { reason: 'left' })
})

t.test('12.13: the end of the session ends its connections, with the words of the service', async (t) => {
  const { port, session } = await openPort(t, await listen(t, echo))
  const stream = await port.open()
  session.terminate('Session timed out')
  t.match(await once(stream, 'error'), [{ code: 'TARGET_LOST', message: /Session timed out/ }])
  await t.rejects(port.open(), { code: 'TARGET_LOST' })
})

t.test('leaving tells the agent, which ends the session', async (t) => {
  const { port, session } = await openPort(t, await listen(t, echo))
  await port.open()
  await port.close()
  t.equal(session.issueToken(), undefined, 'the session is over')
})

t.test('12.14: a slow reader at the port holds the writer back, and nothing is forgotten', async (t) => {
  const stuck: Socket[] = []
  const { port } = await openPort(t, await listen(t, (socket) => void stuck.push(socket.pause())), {}, fast)
  const stream = await port.open()
  let written = 0
  const write = () => {
    while (written < 64 * 1024 * 1024) {
      written += 65_536
      if (!stream.write(Buffer.alloc(65_536))) return
    }
  }
  stream.on('drain', write)
  write()
  let before = -1
  await waitUntil(
    () => {
      const isStill = before === written
      before = written
      return isStill
    },
    'the writer waits',
    20_000,
    700,
  )
  t.ok(written < 16 * 1024 * 1024, `${written} bytes were taken`)
})
