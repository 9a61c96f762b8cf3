import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { PassThrough } from 'node:stream'
import { connect, createServer, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { readChunks } from '../../../proxy/streams/read-chunks.ts'
import { createAuthority } from '../../sandbox/certificates.ts'
import { quietFor, waitUntil } from '../../wait-until.ts'

const authority = createAuthority()
const leaf = authority.issue(['localhost'])

async function pair(t: Test): Promise<{ near: TLSSocket; far: TLSSocket }> {
  const server = createServer({ cert: leaf.cert, key: leaf.key })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'secureConnection')
  const near = connect({ port: (server.address() as AddressInfo).port, servername: 'localhost', ca: authority.cert })
  const [far] = (await accepted) as [TLSSocket]
  t.teardown(() => {
    near.destroy()
    far.destroy()
    server.close()
  })
  return { near, far }
}

const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

for (const every of [1, 3, 50])
  t.test(`every byte comes once and in order, with a pause at every chunk of ${every}`, async (t) => {
    const { near, far } = await pair(t)
    const sent = randomBytes(8 * 1024 * 1024)
    const got: Buffer[] = []
    let pauses = 0
    readChunks(near, (chunk) => {
      got.push(Buffer.from(chunk))
      if (got.length % every !== 0) return
      near.pause()
      pauses += 1
      if (pauses % 2 === 0) setImmediate(() => near.resume())
      else process.nextTick(() => near.resume())
    })
    let at = 0
    while (at < sent.length) {
      const size = 1 + ((at * 7919) % 90_000)
      if (!far.write(sent.subarray(at, at + size))) await once(far, 'drain')
      at += size
    }
    far.end()
    await once(near, 'end')
    t.equal(sha(Buffer.concat(got)), sha(sent))
    t.ok(pauses > 10)
  })

t.test('a pause holds, and what came meanwhile is bounded by the buffer', async (t) => {
  const { near, far } = await pair(t)
  let bytes = 0
  readChunks(near, (chunk) => {
    bytes += chunk.length
    near.pause()
  })
  far.write(Buffer.alloc(32 * 1024 * 1024))
  await waitUntil(() => bytes > 0, 'the first chunk')
  const first = bytes
  await quietFor(100, 'nothing more is taken')
  t.equal(bytes, first)
  t.ok(near.readableLength <= 256 * 1024, `${near.readableLength} bytes are buffered`)
  t.ok(far.writableLength > 16 * 1024 * 1024, 'the rest waits at the other side')
})

t.test('after it is stopped, other listeners get the rest', async (t) => {
  const { near, far } = await pair(t)
  const got: string[] = []
  const stop = readChunks(near, (chunk) => {
    got.push(`taken ${chunk}`)
    stop()
    near.on('data', (rest: Buffer) => got.push(`heard ${rest}`))
  })
  far.write('one')
  await waitUntil(() => got.length === 1, 'the first')
  far.write('two')
  await waitUntil(() => got.length === 2, 'the second')
  t.same(got, ['taken one', 'heard two'])
})

t.test('a lost stream takes nothing', async (t) => {
  const { near, far } = await pair(t)
  const got: string[] = []
  readChunks(near, (chunk) => void got.push(`${chunk}`))
  far.write('last words')
  far.end()
  await once(near, 'end')
  near.destroy()
  near.push(Buffer.from('too late'))
  t.same(got, ['last words'])
})

t.test('any other stream is read as usual', async (t) => {
  const stream = new PassThrough()
  const got: string[] = []
  const stop = readChunks(stream, (chunk) => void got.push(`${chunk}`))
  stream.write('one')
  await waitUntil(() => got.length === 1, 'it has come')
  stop()
  stream.write('two')
  await quietFor(20, 'nobody listens')
  t.same(got, ['one'])
})
