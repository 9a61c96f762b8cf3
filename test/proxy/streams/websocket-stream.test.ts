import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { maxMessageBytes, websocketDuplex } from '../../../proxy/streams/websocket-stream.ts'
import fc from '../../fast-check.ts'
import { quietFor, waitUntil } from '../../wait-until.ts'

/** Two ends of one websocket on loopback. */
async function openPair(t: Test) {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
  t.teardown(() => server.close())
  await once(server, 'listening')
  const accepted = once(server, 'connection')
  const near = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, { perMessageDeflate: false })
  t.teardown(() => near.terminate())
  await once(near, 'open')
  const [far] = (await accepted) as [WebSocket]
  return { near, far }
}

async function readAll(stream: Duplex, pause: () => Promise<void> | undefined): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) {
    chunks.push(chunk)
    await pause()
  }
  return Buffer.concat(chunks)
}

t.test(
  'bytes arrive whole and in order both ways, however they are cut and however slowly they are read',
  async (t) => {
    const chunks = fc.array(fc.uint8Array({ maxLength: 70_000, size: 'max' }), { maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(chunks, chunks, fc.array(fc.boolean(), { minLength: 1 }), async (up, down, pauses) => {
        const { near, far } = await openPair(t)
        const ends = [websocketDuplex(near), websocketDuplex(far)] as const
        let turn = 0
        const pause = () => (pauses[turn++ % pauses.length] ? nextTurn() : undefined)
        const received = Promise.all([readAll(ends[0], pause), readAll(ends[1], pause)])
        for (const [stream, sent] of [
          [ends[0], up],
          [ends[1], down],
        ] as const)
          for (const chunk of sent) stream.write(chunk)
        await Promise.all(ends.map((stream) => new Promise<void>((done) => stream.write('.', () => done()))))
        near.close(1000)
        const [gotDown, gotUp] = await received
        const dot = Buffer.from('.')
        return gotUp.equals(Buffer.concat([...up, dot])) && gotDown.equals(Buffer.concat([...down, dot]))
      }),
      { numRuns: 25 },
    )
  },
)

t.test('a write beyond the longest message goes as several, none longer than allowed', async (t) => {
  const { near, far } = await openPair(t)
  const lengths: number[] = []
  far.on('message', (data: Buffer) => lengths.push(data.length))
  const big = Buffer.alloc(2 * maxMessageBytes + 1, 7)
  const stream = websocketDuplex(near)
  stream.write(big.subarray(0, maxMessageBytes))
  stream.write(big)
  await waitUntil(() => lengths.length === 4, 'four messages are here')
  t.same(lengths, [maxMessageBytes, maxMessageBytes, maxMessageBytes, 1])
})

t.test('a peer that does not read stops the writer, and memory stays bounded', async (t) => {
  const { near, far } = await openPair(t)
  const writer = websocketDuplex(near)
  const reader = websocketDuplex(far)
  const chunk = Buffer.alloc(64 * 1024)
  const limit = 64 * 1024 * 1024
  let sent = 0
  const drains = () =>
    Promise.race([once(writer, 'drain').then(() => true), quietFor(300, 'it drains no more').then(() => false)])
  while (sent < limit) {
    sent += chunk.length
    if (!writer.write(chunk) && !(await drains())) break
  }
  t.ok(sent < limit / 2, `stopped after ${sent} bytes: what the kernel holds and little more`)
  t.ok(near.bufferedAmount <= 4 * chunk.length, `${near.bufferedAmount} bytes wait in the websocket`)
  t.ok(reader.readableLength <= 1024 * 1024, `${reader.readableLength} bytes wait at the reader`)
  let received = 0
  reader.on('data', (data: Buffer) => {
    received += data.length
  })
  await waitUntil(() => received === sent, 'everything arrived once the reader reads')
  t.equal(received, sent)
})

t.test('a text message destroys the stream and is refused with 1003', async (t) => {
  const { near, far } = await openPair(t)
  const stream = websocketDuplex(far)
  const failed = once(stream, 'error')
  near.send('hello')
  const [error] = (await failed) as [Error]
  t.match(error.message, /text message/)
  const [code] = await once(near, 'close')
  t.equal(code, 1003)
})

t.test('a stream that nobody reads yet fails without bringing the process down', async (t) => {
  for (const isText of [true, false]) {
    const { near, far } = await openPair(t)
    const stream = websocketDuplex(far)
    if (isText) near.send('hello')
    else far.emit('error', new Error('an invalid frame'))
    await once(near, 'close')
    t.ok(stream.destroyed)
    t.match(stream.errored, /text message|invalid frame/)
  }
})

t.test('an ended stream leaves the close code to the owner of the websocket', async (t) => {
  const { near, far } = await openPair(t)
  const client = websocketDuplex(near)
  const closed = once(near, 'close')
  const server = websocketDuplex(far)
  server.end('farewell')
  await once(server, 'finish')
  t.equal(far.readyState, WebSocket.OPEN)
  far.close(4001, 'grant-revoked')
  t.equal((await readAll(client, () => undefined)).toString(), 'farewell')
  const [code, reason] = await closed
  t.same([code, String(reason)], [4001, 'grant-revoked'])
})

t.test(
  'a stream that is ended and then destroyed still delivers, and leaves the close code to the owner',
  async (t) => {
    const { near, far } = await openPair(t)
    const client = websocketDuplex(near)
    const closed = once(near, 'close')
    const server = websocketDuplex(far)
    server.end('farewell', () => server.destroy())
    await once(server, 'close')
    far.close(4001, 'killed')
    t.equal((await readAll(client, () => undefined)).toString(), 'farewell')
    t.equal((await closed)[0], 4001)
  },
)

t.test('destroy without an end drops the connection', async (t) => {
  const { near, far } = await openPair(t)
  websocketDuplex(far).destroy()
  const [code] = await once(near, 'close')
  t.equal(code, 1006)
})

t.test('a paused reader that is destroyed still lets the websocket close', async (t) => {
  const { near, far } = await openPair(t)
  const reader = websocketDuplex(far)
  const writer = websocketDuplex(near)
  writer.on('error', () => {})
  writer.write(Buffer.alloc(4 * 1024 * 1024))
  await waitUntil(() => far.isPaused, 'the reader is full')
  reader.on('error', () => {})
  reader.destroy(new Error('enough'))
  const [code] = await once(near, 'close')
  t.equal(code, 1011)
})

t.test('what the peer said before it closed can be read, though we were still writing', async (t) => {
  const { near, far } = await openPair(t)
  const stream = websocketDuplex(near)
  far.send('farewell', { binary: true })
  far.close(4001)
  await once(near, 'close')
  await new Promise((done) => stream.write('late', done))
  t.equal((await readAll(stream, () => undefined)).toString(), 'farewell')
})

t.test('a lost connection ends the stream', async (t) => {
  const { near, far } = await openPair(t)
  const stream = websocketDuplex(near)
  far.terminate()
  stream.write(Buffer.alloc(1024))
  t.equal((await readAll(stream, () => undefined)).length, 0)
})

t.test('a websocket that is closed already is an ended stream', async (t) => {
  const { near, far } = await openPair(t)
  far.close(1000)
  await once(near, 'close')
  t.equal((await readAll(websocketDuplex(near), () => undefined)).length, 0)
})
