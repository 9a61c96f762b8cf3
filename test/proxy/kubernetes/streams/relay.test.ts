import { Duplex, duplexPair } from 'node:stream'
import t, { type Test } from 'tap'
import { StreamRelay, type StreamRelayOptions } from '../../../../proxy/kubernetes/streams/relay.ts'
import { SpdyExecTap } from '../../../../proxy/kubernetes/streams/spdy-exec.ts'
import type { ExecEvents } from '../../../../proxy/kubernetes/streams/tap.ts'
import { WebsocketExecTap } from '../../../../proxy/kubernetes/streams/websocket-exec.ts'
import { EntryWriter } from '../../../../proxy/recording/entry-writer.ts'
import { BrokerError, type EndNotice, type EngineFacts, type Recorder } from '../../../../proxy/session.ts'
import { waitUntil } from '../../../wait-until.ts'
import { recorderDouble } from '../../relay/recorder-double.ts'
import { masked, onChannel, spdyData, synReply, synStream, unmasked } from './frames.ts'

const v5 = { isBase64: false, hasClose: true }
const revoked: EndNotice = { reason: 'grant-revoked', text: 'access was revoked', decidedAt: 1 }

interface Options extends Partial<Pick<StreamRelayOptions, 'ahead' | 'idleTimeoutMs'>> {
  readonly isSpdy?: boolean
  readonly slowServer?: Duplex
  readonly recorder?: Recorder
  readonly engine?: Partial<EngineFacts>
  readonly events?: Partial<ExecEvents>
}

/** A client and a server, with the relay between them. */
function start(t: Test, options: Options = {}) {
  const [client, relayClient] = duplexPair()
  const [server, pairedServer] = duplexPair()
  const relayServer = options.slowServer ?? pairedServer
  const cut = new AbortController()
  const notices: string[] = []
  const recorder = options.recorder ?? recorderDouble()
  const events = { input: () => {}, inputEnded: () => {}, output: () => {}, resize: () => {}, ...options.events }
  const counts = { bytesUp: 0, bytesDown: 0 }
  const relay: StreamRelay = new StreamRelay({
    client: relayClient,
    server: relayServer,
    ahead: { up: Buffer.alloc(0), down: Buffer.alloc(0) },
    idleTimeoutMs: 0,
    ...options,
    tap: options.isSpdy ? new SpdyExecTap(events) : new WebsocketExecTap(events, v5),
    permit: {
      signal: cut.signal,
      recorder,
      limits: { idleTimeoutMs: 0 },
      engine: (options.engine ?? null) as EngineFacts | null,
    },
    writer: new EntryWriter(recorder, () => relay.flow()),
    counts,
    now: () => 42,
    notice: (text) => void notices.push(text),
  })
  const got = { client: [] as Buffer[], server: [] as Buffer[] }
  client.on('data', (chunk: Buffer) => void got.client.push(chunk)).on('error', () => {})
  server.on('data', (chunk: Buffer) => void got.server.push(chunk)).on('error', () => {})
  t.teardown(() => [client, server, relayClient, relayServer].forEach((one) => void one.destroy()))
  const atClient = () => Buffer.concat(got.client).toString('latin1')
  return {
    client,
    server,
    relayClient,
    relayServer,
    cut: () => cut.abort(revoked),
    notices,
    counts,
    atClient,
    atServer: () => Buffer.concat(got.server).toString('latin1'),
    clientGets: (text: string) =>
      waitUntil(
        () => atClient().includes(text),
        () => `${text} in ${atClient()}`,
      ),
    run: relay.run(),
  }
}

const out = (text: string) => unmasked(onChannel(1, text))
const text = (frame: Buffer) => frame.toString('latin1')

t.test('both ways byte for byte, also what came with the upgrades', async (t) => {
  const up = masked(onChannel(0, 'typed'))
  const { client, server, atServer, clientGets, counts, run } = start(t, { ahead: { up, down: out('hello') } })
  client.write(up)
  server.write(out('world'))
  await clientGets(text(Buffer.concat([out('hello'), out('world')])))
  await waitUntil(() => atServer() === text(Buffer.concat([up, up])), 'all is at the server')
  client.end()
  t.match(await run, { reason: 'client-closed', bytesUp: 2 * up.length, bytesDown: 14 + 2 })
  t.same(counts, { bytesUp: 2 * up.length, bytesDown: 16 })
  await waitUntil(() => server.destroyed || server.readableEnded, 'the server sees the end')
})

t.test('half-close: all that a client sent before it left arrives at a server that is slow', async (t) => {
  const got: Buffer[] = []
  const taken: (() => void)[] = []
  const slowServer = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      got.push(chunk)
      taken.push(done)
    },
  })
  const { client, run } = start(t, { slowServer })
  client.write(masked(onChannel(0, 'first')))
  await waitUntil(() => got.length === 1, 'the first chunk is on its way')
  client.end(masked(onChannel(0, 'second')))
  t.match(await run, { reason: 'client-closed' })
  taken[0]?.()
  await waitUntil(() => got.length === 2, 'the second one follows')
})

t.test('a cut is told behind what has passed, and the server sees the end', async (t) => {
  const { server, relayServer, cut, clientGets, atClient, notices, run } = start(t)
  server.write(out('hello'))
  await clientGets('hello')
  cut()
  t.match(await run, { reason: 'grant-revoked', stoppedAt: 42, bytesDown: 8 })
  await clientGets('"message":"access was revoked"')
  t.ok(atClient().endsWith('\x88\x02\x03\xe8'))
  t.ok(relayServer.destroyed)
  t.same(notices, ['access was revoked'])
})

t.test('a cut within a frame waits for its rest, and passes nothing else', async (t) => {
  const { client, server, cut, clientGets, atClient, atServer, run } = start(t)
  const frame = out('some output')
  server.write(frame.subarray(0, 5))
  await clientGets(text(frame.subarray(0, 5)))
  cut()
  client.write(masked(onChannel(0, 'too late')))
  server.write(Buffer.concat([frame.subarray(5), out('too late as well')]))
  t.match(await run, { reason: 'grant-revoked' })
  await clientGets('access was revoked')
  t.ok(atClient().startsWith(text(frame)))
  t.notMatch(atClient(), 'too late')
  t.equal(atServer(), '')
})

t.test('a cut within the header of a frame whose rest does not come drops the client within a second', async (t) => {
  const { client, server, cut, clientGets, run } = start(t)
  server.write(out('x'.repeat(200)).subarray(0, 3))
  await clientGets('\x82\x7e')
  cut()
  t.match(await run, { reason: 'grant-revoked' })
  await waitUntil(() => client.destroyed || client.readableEnded, 'the client is dropped')
})

const opened = Buffer.concat(['error', 'stdout'].map((streamtype, i) => synStream(2 * i + 1, { streamtype }, i === 0)))

t.test('SPDY: a cut before the client has opened its streams waits for them', async (t) => {
  const { client, cut, clientGets, atServer, run } = start(t, { isSpdy: true })
  cut()
  client.write(opened)
  await clientGets('access was revoked')
  t.match(await run, { reason: 'grant-revoked' })
  t.equal(atServer(), '')
})

t.test('trap 1: SPDY: a cluster that is lost without a word is told, which would look like success', async (t) => {
  const { client, server, clientGets, run } = start(t, { isSpdy: true })
  client.write(opened)
  server.write(Buffer.concat([synReply(1, true), synReply(3, false), spdyData(3, 'half of it')]))
  await clientGets('half of it')
  server.end()
  await clientGets('"message":"the cluster closed the connection"')
  t.match(await run, { reason: 'upstream-closed' })
})

t.test('a server that has said how it ended, and closes, adds nothing', async (t) => {
  const { server, atClient, run } = start(t)
  const last = Buffer.concat([unmasked(onChannel(3, '{"status":"Success"}')), unmasked(Buffer.from([3, 0xe8]), 8)])
  server.end(last)
  t.match(await run, { reason: 'upstream-closed' })
  t.equal(atClient(), text(last))
})

t.test('a server that fails is told', async (t) => {
  const { relayServer, clientGets, run } = start(t)
  relayServer.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
  await clientGets('"status":"Failure"')
  t.match(await run, { reason: 'upstream-failed', error: { code: 'TARGET_LOST' } })
})

t.test('K-3, §8.8: of a program that ends early nothing is missing, and little waits in memory', async (t) => {
  for (const isSpdy of [false, true]) await readLate(t, isSpdy)
})

/** In `.ci/long`, 100 MB. */
const frames = process.env.SALLYPORT_LONG === 'true' ? 3200 : 100

async function readLate(t: Test, isSpdy: boolean): Promise<void> {
  const { client, server, relayClient, run } = start(t, { isSpdy })
  client.removeAllListeners('data').pause()
  if (isSpdy) client.write(opened)
  let [read, most] = [0, 0]
  const content = 'x'.repeat(32_000)
  const frame = isSpdy ? spdyData(3, content) : out(content)
  const begin = isSpdy ? Buffer.concat([synReply(1, true), synReply(3, false)]) : Buffer.alloc(0)
  const end = isSpdy ? spdyData(1, '{"status":"Success"}', true) : unmasked(Buffer.from([3, 0xe8]), 8)
  const whole = begin.length + frames * frame.length + end.length
  server.write(begin)
  for (let i = 0; i < frames; i += 1) server.write(frame)
  server.end(end)
  const take = async () => {
    while (read < whole) {
      most = Math.max(most, relayClient.writableLength)
      read += client.read()?.length ?? 0
      await new Promise((done) => setImmediate(done))
    }
  }
  await take()
  t.match(await run, { reason: 'upstream-closed', bytesDown: whole })
  t.ok(most < 300_000, `${most} bytes waited`)
}

t.test('strict: nothing is shown before it is on file, and a cut is told behind it', async (t) => {
  const written: (() => void)[] = []
  const recorder = { ...recorderDouble(), whenWritten: (done: () => void) => void written.push(done) }
  const { server, cut, clientGets, atClient, run } = start(t, { recorder, engine: { isRecordingStrict: true } })
  server.write(out('hello'))
  await waitUntil(() => written.length === 1, 'it waits for the file')
  cut()
  t.equal(atClient(), '')
  for (const done of written) done()
  t.match(await run, { reason: 'grant-revoked' })
  await clientGets('access was revoked')
  t.ok(atClient().startsWith(text(out('hello'))))
})

t.test('what cannot be recorded is not shown', async (t) => {
  const output = () => {
    throw new BrokerError('RECORDING_FAILED')
  }
  const { server, atClient, clientGets, run } = start(t, { events: { output } })
  server.write(out('secret'))
  t.match(await run, { reason: 'recording-failed', error: { code: 'RECORDING_FAILED' } })
  await clientGets('"message":"the recording cannot be written')
  t.notMatch(atClient(), 'secret')
})

t.test(
  'trap 1: SPDY: what the recorder does not take in the middle of a frame is a failure to the client',
  async (t) => {
    let isFull = false
    const output = () => {
      if (isFull) throw new BrokerError('RECORDING_FAILED')
    }
    const { client, server, atClient, clientGets, run } = start(t, { isSpdy: true, events: { output } })
    client.write(opened)
    const frame = spdyData(3, 'some output')
    server.write(Buffer.concat([synReply(1, true), synReply(3, false), frame.subarray(0, 12)]))
    await clientGets('some')
    isFull = true
    server.write(Buffer.concat([frame.subarray(12), spdyData(3, 'more')]))
    t.match(await run, { reason: 'recording-failed' })
    await clientGets('"message":"the recording cannot be written')
    t.match(atClient(), /some\0{7}/, 'the frame has its length')
    t.notMatch(atClient(), /output|more/)
  },
)

t.test('trap 1: a cut within a frame whose rest does not come is said behind zeros in its place', async (t) => {
  for (const isSpdy of [false, true]) {
    const { client, server, cut, atClient, clientGets, run } = start(t, { isSpdy })
    if (isSpdy) client.write(opened)
    const replies = isSpdy ? [synReply(1, true), synReply(3, false)] : []
    const frame = isSpdy ? spdyData(3, 'some output') : out('some output')
    server.write(Buffer.concat([...replies, frame.subarray(0, -7)]))
    await clientGets('some')
    cut()
    t.match(await run, { reason: 'grant-revoked' })
    await clientGets('"message":"access was revoked"')
    t.match(atClient(), /some\0{7}/)
  }
})

t.test('trap 1: SPDY: a cluster that is lost within a frame', async (t) => {
  const { client, server, clientGets, run } = start(t, { isSpdy: true })
  client.write(opened)
  const frame = spdyData(3, 'half of it')
  server.end(Buffer.concat([synReply(1, true), synReply(3, false), frame.subarray(0, -3)]))
  await clientGets('half of\0\0\0')
  await clientGets('"message":"the cluster closed the connection"')
  t.match(await run, { reason: 'upstream-closed' })
})

t.test('trap 1: SPDY: a frame beyond its stream is not passed on, and the client is told', async (t) => {
  const { client, server, clientGets, atClient, run } = start(t, { isSpdy: true })
  client.write(opened)
  const overlong = Buffer.from('0000000100ffffff7b', 'hex')
  server.end(Buffer.concat([synReply(1, true), synReply(3, false), spdyData(3, 'hi'), overlong]))
  await clientGets('"message":"the connection to the target was lost: it violated the protocol"')
  t.match(await run, { reason: 'upstream-failed' })
  t.ok(atClient().includes('hi'))
  t.notOk(atClient().includes('\xff\xff\xff'))
})

t.test('a client that violates the protocol is told, and nothing of it goes on', async (t) => {
  const { client, atServer, clientGets, run } = start(t)
  client.write(masked(onChannel(1, 'not its channel')))
  t.match(await run, { reason: 'protocol-error' })
  await clientGets('"status":"Failure"')
  t.equal(atServer(), '')
})

t.test('kubernetes 128314: pings pass, and do not keep an idle session open', async (t) => {
  const { client, atServer, run } = start(t, { idleTimeoutMs: 150 })
  const pings = setInterval(() => client.write(masked(Buffer.alloc(0), 9)), 20)
  t.teardown(() => clearInterval(pings))
  t.match(await run, { reason: 'idle' })
  t.ok(atServer().startsWith(text(masked(Buffer.alloc(0), 9))))
})

t.test('K-2: the end of the input passes on, and the connection stays until all output has come', async (t) => {
  for (const isSpdy of [false, true]) {
    const { client, server, atServer, clientGets, run } = start(t, { isSpdy })
    const streams = ['error', 'stdin', 'stdout']
    const begin = streams.map((streamtype, i) => synStream(2 * i + 1, { streamtype }, i === 0))
    const up = isSpdy ? [...begin, spdyData(3, 'hi', true)] : [masked(onChannel(0, 'hi')), masked(onChannel(255, '\0'))]
    client.write(Buffer.concat(up))
    await waitUntil(() => atServer() === text(Buffer.concat(up)), 'it is passed on')
    const replies = isSpdy ? [1, 3, 5].map((id) => synReply(id, id === 1)) : []
    server.write(Buffer.concat([...replies, isSpdy ? spdyData(5, 'hi') : out('hi')]))
    await clientGets('hi')
    server.write(isSpdy ? spdyData(5, ' and more') : out(' and more'))
    await clientGets(' and more')
    const status = '{"status":"Success"}'
    server.end(isSpdy ? spdyData(1, status, true) : unmasked(onChannel(3, status)))
    await clientGets('Success')
    t.match(await run, { reason: 'upstream-closed' })
  }
})

t.test('a budget of bytes', async (t) => {
  const { server, clientGets, run } = start(t, { engine: { budget: { rows: 0, bytes: 10, ms: 0 } } })
  server.write(out('0123456789'))
  await clientGets('budget of 10 bytes is used up')
  t.match(await run, { reason: 'budget-used' })
})
