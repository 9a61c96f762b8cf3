/** What the sandbox's cluster refuses as API servers do, and how its streams go wrong when a test wants them to. */
import { connect, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { webCluster } from '../sandbox/kubernetes/web-cluster.ts'
import { waitUntil } from '../wait-until.ts'
import { type DirectCluster, openDirectly } from './kubectl.ts'

const exec = '/api/v1/namespaces/shop/pods/web-1/exec?stdout=true&command=echo&command=hi'
const key = 'dGhlIHNhbXBsZSBub25jZQ=='
const webSocketHeaders = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': key,
  'Sec-WebSocket-Protocol': 'v5.channel.k8s.io',
}
const spdyHeaders = { Connection: 'Upgrade', Upgrade: 'SPDY/3.1', 'X-Stream-Protocol-Version': 'v4.channel.k8s.io' }

/** SYN_STREAMs of kubectl 1.29, in their order: error, and stdin with nothing compressed anew. */
const synError = Buffer.from(
  '800300010000002900000001000000000000' + '78f9e3c6a7c26260606004a7b392a2d4c45c6851c29a0a0a6800000000ffff',
  'hex',
)
const synStdin = Buffer.from('800300010000001700000003000000000000c22e555c92929907000000ffff', 'hex')
const synStdout = Buffer.from('800300010000001900000005000000000000c22ac5565c92925f5a02000000ffff', 'hex')

interface Conversation {
  readonly socket: TLSSocket
  /** All that came so far, as Latin-1. */
  readonly got: () => string
  readonly ended: Promise<string>
}

function converse(t: Test, { cluster, ca }: DirectCluster, request: string): Promise<Conversation> {
  const socket = connect({ port: cluster.port, host: '127.0.0.1', servername: webCluster.endpoint, ca })
  t.teardown(() => socket.destroy())
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk
  })
  socket.on('error', () => {})
  const ended = new Promise<string>((resolve) => socket.once('close', () => resolve(text)))
  return new Promise((resolve) => {
    socket.once('secureConnect', () => {
      socket.write(request)
      resolve({ socket, got: () => text, ended })
    })
  })
}

function requestOf(
  { token }: DirectCluster,
  headers: Readonly<Record<string, string>>,
  { method = 'GET', path = exec } = {},
): string {
  const all = { Host: webCluster.endpoint, Authorization: `Bearer ${token}`, ...headers }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
  return `${[`${method} ${path} HTTP/1.1`, ...lines].join('\r\n')}\r\n\r\n`
}

/** Of the answer: status line, headers, and the beginning of the body. */
async function answerTo(t: Test, direct: DirectCluster, request: string): Promise<string> {
  const { socket, got } = await converse(t, direct, request)
  await waitUntil(() => got().includes('\r\n\r\n'), 'an answer')
  socket.destroy()
  return got()
}

t.test('upgrades that are refused', async (t) => {
  const direct = await openDirectly(t)
  const { 'Sec-WebSocket-Version': _, ...unversioned } = webSocketHeaders
  const { 'X-Stream-Protocol-Version': __, ...unnegotiated } = spdyHeaders
  const forward = '/api/v1/namespaces/shop/pods/web-1/portforward'
  const cases: readonly [what: string, request: string, answer: RegExp][] = [
    ['no upgrade', requestOf(direct, {}), /^HTTP\/1\.1 400 .*"Upgrade request required"/s],
    ['h2c', requestOf(direct, { Connection: 'Upgrade', Upgrade: 'h2c' }), /^HTTP\/1\.1 400 .*missing upgrade/s],
    [
      'an unknown protocol',
      requestOf(direct, { ...webSocketHeaders, 'Sec-WebSocket-Protocol': 'v9.channel.k8s.io' }),
      /^HTTP\/1\.1 403 /,
    ],
    ['no version', requestOf(direct, unversioned), /^HTTP\/1\.1 400 /],
    ['a key of 3 bytes', requestOf(direct, { ...webSocketHeaders, 'Sec-WebSocket-Key': 'YWJj' }), /^HTTP\/1\.1 400 /],
    ['POST', requestOf(direct, webSocketHeaders, { method: 'POST' }), /^HTTP\/1\.1 405 /],
    ['PUT', requestOf(direct, spdyHeaders, { method: 'PUT' }), /^HTTP\/1\.1 405 .*MethodNotAllowed/s],
    ['SPDY without a protocol', requestOf(direct, unnegotiated), /^HTTP\/1\.1 400 .*X-Stream-Protocol-Version is req/s],
    [
      'SPDY of v3',
      requestOf(direct, { ...spdyHeaders, 'X-Stream-Protocol-Version': 'v3.channel.k8s.io' }, { method: 'POST' }),
      /^HTTP\/1\.1 403 .*X-Accepted-Stream-Protocol-Versions: v5.*unable to negotiate/s,
    ],
    ['a body', requestOf(direct, { ...spdyHeaders, 'Content-Length': '4' }, { method: 'POST' }), /^HTTP\/1\.1 400 /],
    ['no streams', requestOf(direct, webSocketHeaders, { path: exec.replace('stdout', 'x') }), /400 .*at least 1 of/s],
    ['another pod', requestOf(direct, webSocketHeaders, { path: exec.replace('web-1', 'web-9') }), /404 .*not found/s],
    [
      'another container',
      requestOf(direct, webSocketHeaders, { path: `${exec}&container=other` }),
      /400 .*container other is not valid for pod web-1/s,
    ],
    [
      'forwarding no port',
      requestOf(direct, { ...webSocketHeaders, 'Sec-WebSocket-Protocol': 'v4.channel.k8s.io' }, { path: forward }),
      /400 .*query parameter "port" is required/s,
    ],
    ['a bad token', requestOf(direct, { ...webSocketHeaders, Authorization: 'Bearer x' }), /^HTTP\/1\.1 401 /],
  ]
  for (const [what, request, answer] of cases) t.match(await answerTo(t, direct, request), answer, what)
  t.notOk(direct.cluster.streams.some(({ transport }) => transport !== ''))

  direct.cluster.denied.add('create pods/exec')
  t.match(await answerTo(t, direct, requestOf(direct, webSocketHeaders)), /^HTTP\/1\.1 101 /, 'get is enough for 1.33')
  t.match(
    await answerTo(t, direct, requestOf(direct, spdyHeaders, { method: 'POST' })),
    /^HTTP\/1\.1 403 .*cannot create resource \\"pods\/exec\\"/s,
  )
  direct.setVersion('1.35')
  t.match(await answerTo(t, direct, requestOf(direct, webSocketHeaders)), /^HTTP\/1\.1 403 /, 'and not for 1.35')
})

t.test('handshakes that go wrong', async (t) => {
  const direct = await openDirectly(t)
  const { faults, streams } = direct.cluster
  const request = requestOf(direct, webSocketHeaders)
  const rightAccept = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
  t.match(await answerTo(t, direct, request), `Sec-WebSocket-Accept: ${rightAccept}`)
  const cases: readonly [fault: Partial<typeof faults>, headers: object, answer: RegExp][] = [
    [{ webSocket: 400 }, webSocketHeaders, /^HTTP\/1\.1 400 /],
    [{ spdy: 403 }, spdyHeaders, /^HTTP\/1\.1 403 /],
    [{ wrongAccept: true }, webSocketHeaders, /^HTTP\/1\.1 101 .*Sec-WebSocket-Accept: d3Jv/s],
    [{ protocol: 'v4.channel.k8s.io' }, webSocketHeaders, /^HTTP\/1\.1 101 .*Sec-WebSocket-Protocol: v4\.channel/s],
    [{ protocol: 'v1' }, spdyHeaders, /^HTTP\/1\.1 101 .*X-Stream-Protocol-Version: v1\r\n/s],
    [
      { extension: 'permessage-deflate' },
      webSocketHeaders,
      /^HTTP\/1\.1 101 .*Sec-WebSocket-Extensions: permessage-deflate\r\n/s,
    ],
  ]
  for (const [fault, headers, answer] of cases) {
    const normal = { ...faults }
    Object.assign(faults, fault)
    t.match(await answerTo(t, direct, requestOf(direct, { ...headers })), answer, JSON.stringify(fault))
    Object.assign(faults, normal)
  }
  faults.answer = { status: 302, headers: { Location: 'https://elsewhere.test/' }, body: 'there' }
  const kept = await converse(t, direct, request)
  await waitUntil(() => kept.got().endsWith('there'), 'the answer')
  t.match(kept.got(), /^HTTP\/1\.1 302 .*Location: https:\/\/elsewhere\.test\//s)
  kept.socket.write('smuggled')
  await waitUntil(() => streams.at(-1)?.trailingBytes === 8, 'they are on record')
  faults.answer = null
  faults.isSilent = true
  const silent = await converse(t, direct, request)
  const count = streams.length
  await waitUntil(() => streams.length === count + 1, 'it was asked')
  t.equal(silent.got(), '')
})

t.test('WebSockets that end', async (t) => {
  const direct = await openDirectly(t)
  const { faults } = direct.cluster
  const play = async (protocol: string, query = '') => {
    const socket = openWebSocket(t, direct, protocol, `${exec}${query}`)
    const messages: string[] = []
    socket.on('message', (data: Buffer) => messages.push(data.toString('latin1')))
    const code = await new Promise((resolve) => socket.once('close', resolve))
    return { messages, code }
  }
  const status = '\x03{"metadata":{},"status":"Success"}'
  t.same(await play('v5.channel.k8s.io'), { messages: ['\x01', '\x01hi\n', status], code: 1000 })
  t.same(await play('v4.base64.channel.k8s.io'), {
    messages: [
      '1',
      `1${Buffer.from('hi\n').toString('base64')}`,
      `3${Buffer.from(status.slice(1)).toString('base64')}`,
    ],
    code: 1000,
  })
  faults.fragmentBytes = 2
  t.same((await play('v4.channel.k8s.io')).messages, ['\x01', '\x01hi\n', status], 'in fragments')
  faults.fragmentBytes = 0
  for (const [ending, expected] of [
    ['close', 1000],
    ['cut', 1006],
    ['reset', 1006],
    ['overlong', 1006],
  ] as const) {
    faults.ending = ending
    t.same(await play('v5.channel.k8s.io'), { messages: ['\x01', '\x01hi\n'], code: expected }, ending)
  }
})

t.test('a client that is read late', async (t) => {
  const direct = await openDirectly(t)
  const { cluster } = direct
  const { promise, resolve } = Promise.withResolvers<void>()
  cluster.faults.reading = promise
  const path = '/api/v1/namespaces/shop/pods/web-1/exec?stdin=true&command=cat'
  const socket = openWebSocket(t, direct, 'v5.channel.k8s.io', path)
  await new Promise((opened) => socket.once('open', opened))
  socket.send(Buffer.from('\0hello'))
  await new Promise<void>((sent) => socket.send(Buffer.from([0xff, 0]), () => sent()))
  t.match(cluster.streams.at(-1), { isOpen: true, inputBytes: 0 })
  resolve()
  await new Promise((closed) => socket.once('close', closed))
  t.match(cluster.streams.at(-1), { inputBytes: 5, hasInputEnded: true, exitCode: 0 })
})

t.test('ports by channels', async (t) => {
  const direct = await openDirectly(t)
  const path = '/api/v1/namespaces/shop/pods/web-1/portforward?ports=9999'
  const socket = openWebSocket(t, direct, 'v4.channel.k8s.io', path)
  const messages: string[] = []
  socket.on('message', (data: Buffer) => messages.push(data.toString('latin1')))
  t.equal(await new Promise((resolve) => socket.once('close', resolve)), 1000)
  t.same(messages.slice(0, 2), ['\x00\x0f\x27', '\x01\x0f\x27'])
  t.match(messages[2]?.slice(1), /^error forwarding port 9999 to pod web-1, uid : .*refused$/)
  t.equal(messages[2]?.[0], '\x01')
})

t.test('SPDY that ends', async (t) => {
  const direct = await openDirectly(t)
  const { faults, streams } = direct.cluster
  const play = async () => {
    const request = requestOf(direct, spdyHeaders, { method: 'POST', path: exec })
    const { socket, got, ended } = await converse(t, direct, request)
    await waitUntil(() => got().includes('\r\n\r\n'), 'an answer')
    socket.write(synError)
    socket.write(stdoutOnly)
    await ended
    return got().slice(got().indexOf('\r\n\r\n') + 4)
  }
  // The header block of stdout refers to the one of stdin before it, which the server has to have read.
  const stdoutOnly = Buffer.concat([synStdin, synStdout])
  const said = await play()
  t.match(said, /hi\n.*\{"metadata":\{\},"status":"Success"\}/s)
  await waitUntil(() => streams.at(-1)?.violation === 'a stream of the type "stdin"', 'it was not asked for')
  for (const ending of ['close', 'cut', 'reset', 'overlong'] as const) {
    faults.ending = ending
    const got = await play()
    t.match(got, /hi\n/)
    t.notMatch(got, /Success/, ending)
    if (ending === 'overlong') t.ok(got.endsWith('\x00\x00\x00\x01\x00\xff\xff\xff{'))
  }
})

t.test('SPDY that ends by half', async (t) => {
  const direct = await openDirectly(t)
  const { faults, streams } = direct.cluster
  faults.ending = 'half'
  const { socket, got } = await converse(t, direct, requestOf(direct, spdyHeaders, { method: 'POST', path: exec }))
  socket.write(Buffer.concat([synError, synStdin, synStdout]))
  await waitUntil(() => got().includes('\x00\x00\x00\x05\x01\x00\x00\x00'), 'the end of the output')
  t.match(streams.at(-1), { isOpen: true, exitCode: 0 })
  socket.destroy()
  await waitUntil(() => streams.at(-1)?.isOpen === false, 'the client is gone')
})

t.test('SPDY that no client may speak', async (t) => {
  const direct = await openDirectly(t)
  const { streams } = direct.cluster
  const frames: readonly [hex: string, violation: string][] = [
    ['0000000100000001', 'data on stream 1, which was never opened'],
    ['8002000100000000', 'a control frame of another version than 3'],
    ['80030001000fffff', 'a control frame of 1048575 bytes'],
    ['800300010000000a00000002000000000000', 'stream 2 behind stream 0'],
    ['800300010000000a00000001000000030000', 'a stream that is associated'],
    ['8003000600000004' + '00000002', 'an even ping'],
    ['8003000600000003' + '000000', 'a control frame 6 of 3 bytes'],
    ['800300080000000400000001', 'headers of a stream come once'],
    ['8003004000000000', 'a control frame of the unknown type 64'],
    ['800300010000000f00000001000000000000' + '78f9e3c6a7', 'a header block that ends too early'],
    ['8003000100000020' + '00000001000000000000', 'the connection ended within a frame'],
  ]
  for (const [hex, violation] of frames) {
    const request = requestOf(direct, spdyHeaders, { method: 'POST' })
    const { socket, got } = await converse(t, direct, request)
    await waitUntil(() => got().includes('\r\n\r\n'), 'an answer')
    const bytes = Buffer.from(hex, 'hex')
    socket.end(hex.startsWith('0000') ? Buffer.concat([bytes, Buffer.from('x')]) : bytes)
    await waitUntil(() => streams.at(-1)?.violation !== null, violation)
    t.equal(streams.at(-1)?.violation, violation)
  }
})

function openWebSocket(t: Test, { cluster, ca, token }: DirectCluster, protocol: string, path: string): WebSocket {
  const options = { ca, servername: webCluster.endpoint, headers: { authorization: `Bearer ${token}` } }
  const socket = new WebSocket(`wss://127.0.0.1:${cluster.port}${path}`, protocol, options)
  t.teardown(() => socket.terminate())
  socket.on('error', () => {}) // `close` follows
  return socket
}
