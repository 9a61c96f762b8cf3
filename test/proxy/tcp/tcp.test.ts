/** Streams from a client's websocket to a TCP server: what passes, what is on record, and how they end. */
import { createHash, randomBytes } from 'node:crypto'
import { PassThrough } from 'node:stream'
import t from 'tap'
import { BrokerError } from '../../../proxy/session.ts'
import { waitUntil } from '../../wait-until.ts'
import { startTcp } from './tcp-fixture.ts'

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const ended = async (seen: { readonly ends: readonly unknown[] }) =>
  await waitUntil(() => seen.ends.length === 1, 'the session ended')

t.test('bytes pass both ways; on record is where they went and how many, never what they were', async (t) => {
  const { connect, seen } = await startTcp(t)
  const client = await connect()
  client.send('secret words')
  await client.gets(12)
  t.equal(client.text(), 'secret words')
  t.same(client.seen.messages, [{ ready: {} }])
  client.socket.close()
  await ended(seen)
  t.match(seen.ends, [{ reason: 'client-closed', bytesUp: 12, bytesDown: 12, recording: { digest: 'sealed' } }])
  t.same(seen.details, [{ forward: 'web.internal:80' }])
  t.match(seen.asks, [{ carrier: { protocol: 'tcp' }, to: { host: 'web.internal', port: 80 } }])
  t.match(seen.entries, [
    { type: 'stream', forward: 'web.internal:80', content: /cannot be read/ },
    { type: 'end', bytesUp: 12, bytesDown: 12 },
  ])
  t.notMatch(JSON.stringify(seen.entries), /secret/)
})

t.test('megabytes both ways arrive whole, at the pace of who reads', async (t) => {
  const sent = randomBytes(4 * 1024 * 1024)
  const { connect } = await startTcp(t)
  const client = await connect()
  for (let at = 0; at < sent.length; at += 500_000) client.send(sent.subarray(at, at + 500_000))
  client.socket.pause()
  await waitUntil(() => client.socket.bufferedAmount > 0, 'the way back is full, so that nothing more is taken')
  client.socket.resume()
  await client.gets(sent.length)
  t.equal(sha256(Buffer.concat(client.seen.chunks)), sha256(sent))
})

t.test('what the target sent before it ended arrives, then the client is told of the end', async (t) => {
  const body = randomBytes(300_000)
  const { connect, seen } = await startTcp(t, { serve: (socket) => socket.end(body) })
  const client = await connect()
  t.same(await client.closes(), { code: 1000, reason: '' })
  t.equal(sha256(Buffer.concat(client.seen.chunks)), sha256(body))
  await ended(seen)
  t.match(seen.ends, [{ reason: 'upstream-closed', bytesDown: body.length }])
})

t.test('a cut: nothing more passes, both sides are closed, the reason is told', async (t) => {
  const { connect, seen, cut, accepted } = await startTcp(t)
  const client = await connect()
  client.send('x')
  await client.gets(1)
  await cut()
  t.same(await client.closes(), { code: 4001, reason: 'grant-revoked' })
  t.same(client.seen.messages.at(-1), { notice: 'access was revoked by bob@example.com: incident 42' })
  await waitUntil(() => accepted[0]?.closed === true, 'the target is closed')
  await ended(seen)
  t.match(seen.ends, [{ reason: 'grant-revoked', stoppedAt: Number, decidedAt: Number }])
  t.match(seen.entries, [{ type: 'stream' }, { type: 'notice', text: /incident 42/ }, { type: 'end' }])
})

t.test('a client that reads nothing is cut all the same, also while it is sent the last bytes', async (t) => {
  const { connect, seen, cut } = await startTcp(t, { serve: (socket) => socket.end(randomBytes(8 * 1024 * 1024)) })
  const client = await connect()
  client.socket.pause()
  await waitUntil(() => seen.relayed.down > 0 || seen.details.length === 1, 'it has begun')
  await cut()
  await ended(seen)
  t.match(seen.ends, [{ reason: 'grant-revoked' }])
})

t.test('cut before it has begun', async (t) => {
  const opening = Promise.withResolvers<AbortSignal>()
  const { connect, seen, cut } = await startTcp(t, {
    open: (_permit, signal) => {
      opening.resolve(signal)
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('given up'))))
    },
  })
  const client = await connect()
  await opening.promise
  await cut()
  t.same(await client.closes(), { code: 4001, reason: 'grant-revoked' })
  await ended(seen)
  t.match(seen.ends, [{ reason: 'grant-revoked', bytesUp: 0 }])
})

t.test('a client that leaves while the way is opened leaves nothing open', async (t) => {
  const opening = Promise.withResolvers<AbortSignal>()
  const { connect, seen } = await startTcp(t, {
    open: (_permit, signal) => {
      opening.resolve(signal)
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('given up'))))
    },
  })
  const client = await connect()
  await opening.promise
  client.socket.close()
  await ended(seen)
  t.match(seen.ends, [{ reason: 'client-closed' }])
})

t.test('refusals and failures in words', async (t) => {
  const refused = await startTcp(t)
  refused.control.refusal = new BrokerError('GRANT_DENIED', 'this access level forwards no ports', { hint: 'ask' })
  const denied = await refused.connect()
  t.same(await denied.closes(), { code: 1000, reason: '' })
  t.same(denied.seen.messages, [
    {
      error: {
        code: 'GRANT_DENIED',
        message: 'access was not granted: this access level forwards no ports',
        hint: 'ask',
      },
    },
  ])
  t.same(refused.seen.ends, [], 'there was no session')

  const unreachable = await startTcp(t, {
    open: () => Promise.reject(new BrokerError('TARGET_UNREACHABLE', 'i-1 is not connected')),
  })
  const client = await unreachable.connect()
  await client.closes()
  t.match(client.seen.messages, [{ error: { code: 'TARGET_UNREACHABLE', message: /not connected/ } }])
  await ended(unreachable.seen)
  t.match(unreachable.seen.ends, [{ reason: 'open-failed', error: { code: 'TARGET_UNREACHABLE' } }])

  const shut = await startTcp(t, { serve: (socket) => socket.once('data', () => socket.resetAndDestroy()) })
  const lost = await shut.connect()
  lost.send('x')
  await lost.closes()
  t.match(lost.seen.messages.at(-1), { error: { code: 'TARGET_UNREACHABLE' } })

  const gone = await startTcp(t, {
    open: async () => {
      const stream = new PassThrough()
      stream.once('error', () => {})
      stream.destroy(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }))
      return { stream, address: { host: 'x', port: 1 }, again: async () => stream, reset: () => {} }
    },
  })
  const late = await gone.connect()
  await late.closes()
  t.match(late.seen.messages.at(-1), { error: { code: 'TARGET_UNREACHABLE', message: /refuses connections/ } })
})

t.test('a permit of anything else carries no stream', async (t) => {
  const { connect, seen } = await startTcp(t, { engine: { via: undefined as never } })
  const client = await connect()
  await client.closes()
  t.match(client.seen.messages, [{ error: { code: 'INTERNAL' } }])
  t.same(seen.entries, [])
})

t.test('a text message is no byte of a stream', async (t) => {
  const { connect, seen } = await startTcp(t)
  const client = await connect()
  await waitUntil(() => client.seen.messages.length === 1, 'it is ready')
  client.socket.send('{"resize":{"cols":1,"rows":1}}')
  await client.closes()
  await ended(seen)
  t.match(seen.ends, [{ reason: 'protocol-error' }])
})

t.test('no recording, no stream', async (t) => {
  const broken = await startTcp(t)
  broken.control.breaks = true
  const client = await broken.connect()
  await client.closes()
  t.match(client.seen.messages, [{ error: { code: 'RECORDING_FAILED' } }])
  t.equal(broken.accepted.length, 0, 'nothing was opened')

  const strict = await startTcp(t, { engine: { isRecordingStrict: true } })
  strict.control.holds = true
  const waiting = await strict.connect()
  await waitUntil(() => strict.seen.entries.length === 1, 'it is to be recorded')
  t.equal(strict.accepted.length, 0, 'not before that is on file')
  strict.control.written()
  waiting.send('x')
  await waiting.gets(1)
})

t.test('budget and idle time', async (t) => {
  const small = await startTcp(t, { engine: { budget: { rows: 0, bytes: 1000, ms: 0 } } })
  const client = await small.connect()
  client.send(randomBytes(2000))
  t.same(await client.closes(), { code: 4001, reason: 'budget-used' })
  t.match(client.seen.messages.at(-1), { notice: /budget of 1000 bytes/ })

  const idle = await startTcp(t, { rules: { idleTimeoutMs: 50 } })
  const silent = await idle.connect()
  t.same(await silent.closes(), { code: 4001, reason: 'idle' })
})
