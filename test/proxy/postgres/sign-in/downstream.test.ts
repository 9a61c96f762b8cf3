import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import {
  type ConnectionOptions,
  connect as connectTls,
  createSecureContext,
  type SecureContext,
  type TLSSocket,
} from 'node:tls'
import t, { type Test } from 'tap'
import { createAuthority } from '../../../sandbox/certificates.ts'
import { waitUntil } from '../../../wait-until.ts'
import { connect, identity, openPort, type Port, readAll, readError, resourceId, scriptedEnd, token } from '../port.ts'

const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])
const gssEncRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30])
/** length 16, code, pid 7, key 01020304 */
const cancelRequest = Buffer.from([0, 0, 0, 16, 0x04, 0xd2, 0x16, 0x2e, 0, 0, 0, 7, 1, 2, 3, 4])

/** int32 length, int16 major, int16 minor, the parameters as they are written here, NUL */
function startup(parameters = 'user\0me\0database\0shop\0', minor = 0, major = 3): Buffer {
  const packet = Buffer.concat([
    Buffer.from([0, 0, 0, 0, 0, major, minor >> 8, minor & 255]),
    Buffer.from(`${parameters}\0`),
  ])
  packet.writeUInt32BE(packet.length)
  return packet
}

/** 'p', int32 length, cstring */
function password(text: string): Buffer {
  const packet = Buffer.from(`p....${text}\0`)
  packet.writeUInt32BE(packet.length - 1, 1)
  return packet
}

function readBytes(stream: Socket, length: number): Promise<Buffer> {
  return new Promise((resolve) => {
    const onReadable = () => {
      const chunk: Buffer | null = stream.read(length)
      if (!chunk) return
      stream.off('readable', onReadable)
      resolve(chunk)
    }
    stream.on('readable', onReadable)
  })
}

async function upgrade(t: Test, socket: Socket, port: Port, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const tls = connectTls({ socket, ca: port.ca, servername: 'localhost', ...options })
  tls.on('error', () => {})
  t.teardown(() => tls.destroy())
  await once(tls, 'secureConnect')
  return tls
}

async function negotiated(t: Test, port: Port): Promise<TLSSocket> {
  const socket = await connect(t, port)
  socket.write(sslRequest)
  t.equal(String(await readBytes(socket, 1)), 'S')
  return upgrade(t, socket, port)
}

/** AuthenticationCleartextPassword */
const asksPassword = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3])

/** Everything is closed, on the port's side too. */
const isForgotten = (port: Port) => waitUntil(() => port.open() === 0)

t.test('a token in clear text inside TLS is enough, and the client comes whole', async (t) => {
  const port = await openPort(t)
  const tls = await negotiated(t, port)
  tls.write(startup('user\0me\0database\0shop\0application_name\0psql\0TimeZone\0UTC\0options\0-c search_path=a\0'))
  t.same(await readBytes(tls, 9), asksPassword)
  tls.write(Buffer.concat([password(token), Buffer.from('ahead')]))
  t.match(readError(await readAll(tls)), { C: '57P03', M: new RegExp(scriptedEnd) })
  t.strictSame(port.claims, [{ by: 'token', token }])
  const [received] = port.received
  if (received?.kind !== 'client') throw new Error('no client')
  const { stream, client: origin, ...client } = received.client
  t.equal(origin.address, '127.0.0.1')
  t.equal(origin.via, 'listener')
  t.strictSame(client, {
    ahead: Buffer.from('ahead'),
    identity,
    resourceId,
    level: 'readonly',
    minor: 0,
    unknownOptions: [],
    database: 'shop',
    parameters: new Map([
      ['search_path', 'a'],
      ['timezone', 'UTC'],
    ]),
    tool: 'psql',
  })
  t.strictSame(port.failures, [])
  t.strictSame(port.phases, ['rds-postgres identify'])
  await isForgotten(port)
  t.equal(stream.listenerCount('readable'), 0)
})

t.test('one byte per segment is as good', async (t) => {
  const port = await openPort(t)
  const socket = await connect(t, port)
  const drip = async (stream: Socket, bytes: Buffer) => {
    for (const byte of bytes) await new Promise((resolve) => stream.write(Buffer.of(byte), resolve))
  }
  await drip(socket, gssEncRequest)
  t.equal(String(await readBytes(socket, 1)), 'N')
  await drip(socket, sslRequest)
  t.equal(String(await readBytes(socket, 1)), 'S')
  const tls = await upgrade(t, socket, port)
  await drip(tls, startup())
  t.same(await readBytes(tls, 9), asksPassword)
  await drip(tls, password(token))
  t.match(readError(await readAll(tls)), { M: new RegExp(scriptedEnd) })
  await isForgotten(port)
})

t.test('every wrong token gets the same words, whatever is wrong with it', async (t) => {
  const port = await openPort(t)
  const words = { S: 'FATAL', C: '28P01', M: 'the access token is invalid, expired or revoked', H: /sallyport connect/ }
  for (const wrong of ['', 'spt_x', `${token}x`]) {
    const tls = await negotiated(t, port)
    tls.write(startup())
    await readBytes(tls, 9)
    tls.write(password(wrong))
    t.match(readError(await readAll(tls)), words)
  }
  t.strictSame(port.failures, ['TOKEN_INVALID', 'TOKEN_INVALID', 'TOKEN_INVALID'])
  t.strictSame(port.received, [])
  await isForgotten(port)
})

t.test('bad bytes are refused in the protocol, counted, and leave nothing behind', async (t) => {
  const cases: Record<string, { bytes: Buffer; code: string; failure?: string; message: RegExp }> = {
    HTTP: { bytes: Buffer.from('GET / HTTP/1.1\r\n\r\n'), code: '08P01', message: /not the first bytes/ },
    'a length of 2 GB': {
      bytes: Buffer.from([0x7f, 255, 255, 255, 0, 3, 0, 0]),
      code: '08P01',
      message: /first bytes/,
    },
    'a length of 16 MB': {
      bytes: Buffer.from([0, 255, 255, 255, 0, 3, 0, 0]),
      code: '08P01',
      message: /invalid length/,
    },
    'a length of 0': { bytes: Buffer.alloc(8), code: '08P01', message: /invalid length/ },
    'a length of 10,001': { bytes: Buffer.from([0, 0, 0x27, 0x11]), code: '08P01', message: /invalid length/ },
    'duplicate keys': { bytes: startup('user\0a\0user\0b\0'), code: '08P01', message: /"user" is given twice/ },
    plaintext: { bytes: startup(), code: '28000', failure: 'TLS_REQUIRED', message: /requires TLS/ },
    'plaintext stuffed behind SSLRequest': {
      bytes: Buffer.concat([sslRequest, startup()]),
      code: '08P01',
      message: /unencrypted bytes/,
    },
    'plaintext stuffed behind GSSENCRequest': {
      bytes: Buffer.concat([gssEncRequest, sslRequest]),
      code: '08P01',
      message: /unencrypted bytes/,
    },
    'an SSLRequest that is too long': {
      bytes: Buffer.concat([Buffer.from([0, 0, 0, 9]), sslRequest.subarray(4), Buffer.of(0)]),
      code: '08P01',
      message: /after the end/,
    },
  }
  for (const [name, { bytes, code, failure = 'PROTOCOL_ERROR', message }] of Object.entries(cases)) {
    const port = await openPort(t)
    const socket = await connect(t, port)
    socket.write(bytes)
    t.match(readError(await readAll(socket)), { S: 'FATAL', C: code, M: message, D: new RegExp(failure) }, name)
    t.strictSame(port.failures, [failure])
    t.match(port.refused, [{ code: failure }])
    await isForgotten(port)
  }
})

t.test('an encryption request is taken once, and not inside TLS', async (t) => {
  const port = await openPort(t)
  const twice = await connect(t, port)
  twice.write(gssEncRequest)
  t.equal(String(await readBytes(twice, 1)), 'N')
  twice.write(gssEncRequest)
  t.match(readError(await readAll(twice)), { C: '08P01', M: /unexpected encryption request/ })
  for (const request of [sslRequest, gssEncRequest]) {
    const tls = await negotiated(t, port)
    tls.write(request)
    t.match(readError(await readAll(tls)), { C: '08P01', M: /unexpected encryption request/ })
  }
  await isForgotten(port)
})

t.test('inside TLS, the startup message is read before a password is requested', async (t) => {
  const port = await openPort(t)
  const cases: [Buffer, string, RegExp][] = [
    [startup('user\0a\0database\0b\0database\0c\0'), '08P01', /"database" is given twice/],
    [startup('user\0a\0replication\0true\0'), '0A000', /replication/],
    [startup('user\0a\0role\0postgres\0'), '0A000', /"role"/],
    [startup('database\0a\0'), '08P01', /no user/],
    [startup('', 0, 4), '0A000', /protocol 4\.0; it supports 3\.0 to 3\.2/],
    [startup('user\0a\0options\0-W\0'), '08P01', /options/],
  ]
  for (const [bytes, code, message] of cases) {
    const tls = await negotiated(t, port)
    tls.write(bytes)
    t.match(readError(await readAll(tls)), { S: 'FATAL', C: code, M: message })
  }
  t.strictSame(port.claims, [])
  await isForgotten(port)
})

t.test('where a password is due, nothing else is taken, and no long one', async (t) => {
  const port = await openPort(t)
  const query = Buffer.concat([Buffer.from([0x51, 0, 0, 0, 13]), Buffer.from('SELECT 1\0')])
  for (const bytes of [
    query,
    Buffer.from([0x70, 0x3f, 255, 255, 255]),
    Buffer.from([0x70, 0, 0, 0, 4]),
    Buffer.from([0x70, 0, 0, 0, 3]),
  ]) {
    const tls = await negotiated(t, port)
    tls.write(startup())
    await readBytes(tls, 9)
    tls.write(bytes)
    t.match(readError(await readAll(tls)), { C: '08P01', M: /password/ })
  }
  await isForgotten(port)
})

t.test('direct TLS requires the ALPN protocol postgresql', async (t) => {
  const port = await openPort(t)
  const good = await upgrade(t, await connect(t, port), port, { ALPNProtocols: ['postgresql'] })
  good.write(startup())
  t.same(await readBytes(good, 9), asksPassword)
  good.write(password(token))
  t.match(readError(await readAll(good)), { M: new RegExp(scriptedEnd) })

  const without = await upgrade(t, await connect(t, port), port)
  t.match(readError(await readAll(without)), { C: '08P01', M: /direct TLS/, H: /ALPN/ })

  const other = connectTls({
    socket: await connect(t, port),
    ca: port.ca,
    servername: 'localhost',
    ALPNProtocols: ['h2'],
  })
  const [error] = (await once(other, 'error')) as [Error & { code: string }]
  t.match(error.code, /NO_APPLICATION_PROTOCOL/)
  await waitUntil(() => port.failures.length === 2)
  t.strictSame(port.failures, ['PROTOCOL_ERROR', 'PROTOCOL_ERROR'])
  await isForgotten(port)
})

t.test('a TLS handshake that is none is counted and closed', async (t) => {
  const port = await openPort(t)
  const socket = await connect(t, port)
  socket.write(Buffer.concat([Buffer.of(0x16), Buffer.alloc(64, 1)]))
  await readAll(socket)
  t.match(port.refused, [{ code: 'PROTOCOL_ERROR', message: /TLS handshake failed/ }])
  await isForgotten(port)
})

t.test('a CancelRequest is taken before and inside TLS, and never counted as a failure', async (t) => {
  const port = await openPort(t)
  const longKey = Buffer.concat([Buffer.from([0, 0, 0, 44]), cancelRequest.subarray(4, 12), Buffer.alloc(32, 9)])
  const plain = await connect(t, port)
  plain.write(cancelRequest)
  t.equal((await readAll(plain)).length, 0)
  const tls = await negotiated(t, port)
  tls.write(longKey)
  t.equal((await readAll(tls)).length, 0)
  const direct = await upgrade(t, await connect(t, port), port, { ALPNProtocols: ['postgresql'] })
  direct.write(cancelRequest)
  t.equal((await readAll(direct)).length, 0)
  const asks = port.received.map((received) => (received.kind === 'cancel' ? received.ask : undefined))
  t.match(asks, [
    { id: 7, key: Buffer.from([1, 2, 3, 4]), origin: { via: 'listener' } },
    { id: 7, key: Buffer.alloc(32, 9) },
    { id: 7, key: Buffer.from([1, 2, 3, 4]) },
  ])
  t.strictSame(port.failures, [])
  await isForgotten(port)
})

t.test('who takes too long is told so, at every step', async (t) => {
  const port = await openPort(t, { options: { signInMs: 1000 } })
  const steps: ((tls: TLSSocket) => void)[] = [
    () => {},
    (tls) => tls.write(startup().subarray(0, 9)),
    (tls) => tls.write(startup()),
  ]
  for (const step of steps) {
    const tls = await negotiated(t, port)
    step(tls)
    const bytes = await readAll(tls)
    const asked = bytes.subarray(0, 9).equals(asksPassword) ? 9 : 0
    t.match(readError(bytes.subarray(asked)), { C: '08006', M: /too long to sign in/ })
  }
  const silent = await connect(t, port)
  t.match(readError(await readAll(silent)), { M: /too long to sign in/ })
  const midHandshake = await connect(t, port)
  midHandshake.write(sslRequest)
  t.equal(String(await readAll(midHandshake)), 'S', 'no words where TLS is expected')
  t.strictSame(port.failures, Array(5).fill('HANDSHAKE_TIMEOUT'))
  await isForgotten(port)
})

t.test('a doorman who hangs does not keep the client longer than its deadline', async (t) => {
  const port = await openPort(t, { options: { signInMs: 300 }, identify: () => new Promise(() => {}) })
  const tls = await negotiated(t, port)
  tls.write(startup())
  await readBytes(tls, 9)
  tls.write(password(token))
  t.match(readError(await readAll(tls)), { M: /too long/ })
  await isForgotten(port)
})

t.test('a client that disconnects is not a failure', async (t) => {
  const port = await openPort(t)
  ;(await connect(t, port)).end()
  const half = await connect(t, port)
  half.end(startup().subarray(0, 6))
  ;(await negotiated(t, port)).end()
  const reset = await negotiated(t, port)
  reset.write(startup())
  await readBytes(reset, 9)
  reset.destroy()
  await isForgotten(port)
  t.strictSame(port.failures, [])
})

t.test('an identity that is bound to nothing, or to another resource than the port, is refused', async (t) => {
  const { bound: _, ...unbound } = identity
  const ports = [
    await openPort(t, { identify: async () => unbound }),
    await openPort(t, { options: { resourceId: 'rds-postgres/1/eu-west-1/other' } }),
  ]
  for (const port of ports) {
    const tls = await negotiated(t, port)
    tls.write(startup())
    await readBytes(tls, 9)
    tls.write(password(token))
    t.match(readError(await readAll(tls)), { C: '28000', D: /GRANT_DENIED/ })
    t.strictSame(port.received, [])
  }
})

t.test('an internal failure is not shown to the client, but logged with its cause', async (t) => {
  const port = await openPort(t, { identify: () => Promise.reject(new Error('disk of db7 is full')) })
  const tls = await negotiated(t, port)
  tls.write(startup())
  await readBytes(tls, 9)
  tls.write(password(token))
  const told = readError(await readAll(tls))
  t.match(told, { C: 'XX000' })
  t.notMatch(JSON.stringify(told), /db7/)
  t.match(port.refused, [{ code: 'INTERNAL', cause: { message: 'disk of db7 is full' } }])
})

t.test('who asks for more than 3.2 is told what there is, before it is asked for anything', async (t) => {
  const port = await openPort(t)
  // 3.9999 and an option, as PostgreSQL 19 probes: 'v', int32 length, 3.2, 1 option
  const tls = await negotiated(t, port)
  tls.write(startup('user\0a\0_pq_.test_protocol_negotiation\0\0', 9999))
  const name = Buffer.from('_pq_.test_protocol_negotiation\0')
  const told = Buffer.concat([Buffer.from([0x76, 0, 0, 0, 12 + name.length, 0, 3, 0, 2, 0, 0, 0, 1]), name])
  t.same(await readBytes(tls, told.length + 9), Buffer.concat([told, asksPassword]))
  // 3.2 as it is
  const newest = await negotiated(t, port)
  newest.write(startup(undefined, 2))
  t.same(await readBytes(newest, 9), asksPassword)
  newest.write(password(token))
  await readAll(newest)
  t.match(port.received, [{ client: { minor: 2, unknownOptions: [] } }])
})

t.test('a renewed certificate is used from the next client on', async (t) => {
  const contexts = [1, 2].map(() => createSecureContext(createAuthority().issue(['localhost'])))
  let current = contexts[0] as SecureContext
  const port = await openPort(t, { options: { secureContext: () => current } })
  const serialOf = async () => {
    const socket = await connect(t, port)
    socket.write(sslRequest)
    await readBytes(socket, 1)
    const tls = await upgrade(t, socket, port, { rejectUnauthorized: false })
    return tls.getPeerX509Certificate()?.serialNumber
  }
  const first = await serialOf()
  t.equal(await serialOf(), first)
  current = contexts[1] as SecureContext
  t.not(await serialOf(), first)
})

t.test('a refused client that neither reads nor closes is dropped', async (t) => {
  const port = await openPort(t)
  const socket = connectTcp({ port: port.listener.port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => {})
  t.teardown(() => socket.destroy())
  socket.write(Buffer.alloc(1_000_000, 'x'))
  await waitUntil(() => port.failures.length === 1)
  t.equal(port.open(), 1, 'it is given time to read why')
  await isForgotten(port)
})
