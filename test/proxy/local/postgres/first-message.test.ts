import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { type FirstMessage, readFirstMessage } from '../../../../proxy/local/postgres/first-message.ts'
import { BrokerError } from '../../../../proxy/session.ts'
import { ClientLeft, ClientLine } from '../../../../proxy/streams/client-line.ts'
import { WireError } from '../../../../proxy/wire/wire-error.ts'
import fc from '../../../fast-check.ts'
import { quietFor } from '../../../wait-until.ts'

const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])
const gssEncRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30])
const cancel = Buffer.from([0, 0, 0, 16, 0x04, 0xd2, 0x16, 0x2e, 0, 0, 0, 1, 9, 9, 9, 9])
/** length, version 3.0, user=a, end */
const startup = Buffer.concat([Buffer.from([0, 0, 0, 16, 0, 3, 0, 0]), Buffer.from('user\0a\0\0')])

async function pair(t: Test): Promise<{ client: Socket; server: Socket }> {
  const listener = createServer({ noDelay: true }).listen(0, '127.0.0.1')
  t.teardown(() => listener.close())
  await once(listener, 'listening')
  const accepted = once(listener, 'connection')
  const client = connect({ port: (listener.address() as AddressInfo).port, host: '127.0.0.1', noDelay: true })
  client.on('error', () => {})
  const [server] = (await accepted) as [Socket]
  server.on('error', () => {})
  t.teardown(() => {
    client.destroy()
    server.destroy()
  })
  return { client, server }
}

/** As the port calls it. */
async function read(server: Socket, deadlineMs = 5000): Promise<FirstMessage> {
  const line = new ClientLine(server, deadlineMs)
  try {
    return await readFirstMessage(line)
  } finally {
    line.release()
  }
}

const refused = (message: RegExp) => ({ name: 'WireError', message })

t.test('a startup message or a cancel request comes whole, however it is cut', async (t) => {
  for (const bytes of [startup, cancel]) {
    for (let cut = 1; cut < bytes.length; cut += 3) {
      const { client, server } = await pair(t)
      const message = read(server)
      client.write(bytes.subarray(0, cut))
      await quietFor(1, 'the parts arrive one by one')
      client.write(bytes.subarray(cut))
      const kind = bytes === cancel ? 'cancel' : 'startup'
      t.same(await message, { kind, bytes, tool: kind === 'cancel' ? 'cancel' : 'unnamed' })
    }
  }
})

t.test('what follows the startup message stays for the relay', async (t) => {
  const { client, server } = await pair(t)
  client.write(Buffer.concat([startup, Buffer.from('more')]))
  await read(server)
  t.equal(String(server.read()), 'more')
})

t.test('encryption is declined, GSS first and then TLS', async (t) => {
  const { client, server } = await pair(t)
  const message = read(server)
  for (const request of [gssEncRequest, sslRequest]) {
    client.write(request)
    t.equal(String((await once(client, 'data'))[0]), 'N')
  }
  client.write(startup)
  t.equal((await message).kind, 'startup')
})

t.test('bytes stuffed in behind SSLRequest are refused', async (t) => {
  const { client, server } = await pair(t)
  client.write(Buffer.concat([sslRequest, startup]))
  await t.rejects(read(server), { code: 'PROTOCOL_ERROR', message: /unencrypted bytes/ })
})

t.test('a second SSLRequest is refused', async (t) => {
  const { client, server } = await pair(t)
  const message = read(server)
  client.write(sslRequest)
  await once(client, 'data')
  client.write(sslRequest)
  await t.rejects(message, refused(/requested twice/))
})

t.test('lengths below and above the limits are refused before anything is allocated', async (t) => {
  const lengths: [number, boolean][] = [
    [7, false],
    [16, true],
    [10_000, true],
    [10_001, false],
    [0x7fffffff, false],
    [0xffffffff, false],
  ]
  for (const [length, allowed] of lengths) {
    const { client, server } = await pair(t)
    const head = Buffer.alloc(8)
    head.writeUInt32BE(length, 0)
    head.writeUInt32BE(196608, 4)
    const body = Buffer.from(`user\0${'a'.repeat(allowed ? length - 15 : 0)}\0\0`)
    client.write(Buffer.concat([head, body]))
    if (allowed) t.equal((await read(server)).bytes.length, length)
    else await t.rejects(read(server), refused(/length of startup packet/), String(length))
  }
})

t.test('other protocols are refused', async (t) => {
  for (const bytes of ['GET / HTTP/1.1\r\n\r\n', 'SSH-2.0-OpenSSH\r\n', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc']) {
    const { client, server } = await pair(t)
    client.write(bytes, 'latin1')
    await t.rejects(read(server), refused(/length of startup packet/))
  }
})

t.test('a client that leaves early, or says nothing in time, leaves nothing waiting', async (t) => {
  const early = await pair(t)
  early.client.end(startup.subarray(0, 11))
  t.type(await read(early.server).catch((error: Error) => error), ClientLeft)
  const silent = await pair(t)
  await t.rejects(read(silent.server, 20), { code: 'HANDSHAKE_TIMEOUT' })
  t.equal(silent.server.listenerCount('readable'), 0)
})

t.test('random bytes give a message or a refusal, nothing else', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (bytes) => {
      const { client, server } = await pair(t)
      client.end(bytes)
      const outcome = await read(server).catch((error: Error) => error)
      const known =
        outcome instanceof Error ? [WireError, BrokerError, ClientLeft].some((type) => outcome instanceof type) : true
      client.destroy()
      server.destroy()
      return known
    }),
    { numRuns: 60 },
  )
})
