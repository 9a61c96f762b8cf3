/** Traps that other proxies fell into, by their numbers. */
import { createHash } from 'node:crypto'
import t from 'tap'
import { bearerToken, ownHeaders, requestHeaders, upgradeHeaders } from '../../../proxy/kubernetes/headers.ts'
import { readSwitch, streamProtocols } from '../../../proxy/kubernetes/upgrade.ts'
import type { ErrorCode } from '../../../proxy/session.ts'

const ours = {
  host: 'ABC.gr7.eu-central-1.eks.amazonaws.com',
  authorization: 'Bearer k8s-aws-v1.x',
  forwardedFor: '192.0.2.7',
}
const begin = ['host', ours.host, 'authorization', ours.authorization, 'x-forwarded-for', ours.forwardedFor]
const plain = [
  'Host',
  'broker',
  'Authorization',
  'Bearer token',
  'User-Agent',
  'kubectl/v1.32.5',
  'Accept',
  'application/json',
]
const key = 'dGhlIHNhbXBsZSBub25jZQ=='
const websocket = [
  ...plain,
  ...['Connection', 'Upgrade', 'Upgrade', 'websocket', 'Sec-WebSocket-Key', key, 'Sec-WebSocket-Version', '13'],
  ...['Sec-WebSocket-Protocol', 'v5.channel.k8s.io'],
]
const spdy = [
  ...plain,
  ...['Connection', 'Upgrade', 'Upgrade', 'SPDY/3.1', 'Content-Length', '0'],
  ...['X-Stream-Protocol-Version', 'v5.channel.k8s.io', 'X-Stream-Protocol-Version', 'v4.channel.k8s.io'],
  ...['X-Stream-Protocol-Version', 'v3.channel.k8s.io'],
]
const upgrade = (raw: readonly string[]) => {
  const { passed, asked } = upgradeHeaders(raw, streamProtocols.exec)
  return { headers: [...ownHeaders(ours), ...passed], asked }
}

/** By one code, on every way to the cluster. */
const ways: Readonly<Record<string, (more: readonly string[]) => unknown>> = {
  'a request': (more) => requestHeaders([...plain, ...more], ours),
  'a websocket': (more) => upgrade([...websocket, ...more]),
  SPDY: (more) => upgrade([...spdy, ...more]),
}

const refused: readonly (readonly [trap: string, more: readonly string[], code: ErrorCode])[] = [
  ['kubectl --as', ['Impersonate-User', 'bob'], 'GRANT_DENIED'],
  ['an empty Impersonate-User, which is none', ['Impersonate-User', ''], 'GRANT_DENIED'],
  ['Impersonate-Group', ['impersonate-group', 'system:masters'], 'GRANT_DENIED'],
  ['Impersonate-Uid', ['IMPERSONATE-UID', '1'], 'GRANT_DENIED'],
  ['Impersonate-Extra', ['Impersonate-Extra-scopes', 'x'], 'GRANT_DENIED'],
  ['underscores', ['Impersonate_User', 'bob'], 'GRANT_DENIED'],
  ['X-Remote-User', ['X-Remote-User', 'bob'], 'GRANT_DENIED'],
  ['X-Remote-Group', ['x-remote-group', 'system:masters'], 'GRANT_DENIED'],
  ['X-Remote-Extra', ['X-Remote-Extra-x', '1'], 'GRANT_DENIED'],
  ['CVE-2021-31999: Connection names a header', ['Connection', 'Impersonate-User'], 'PROTOCOL_ERROR'],
  ['GHSA-m697-4v8f-55qg: Connection names X-Forwarded-For', ['Connection', 'close, X-Forwarded-For'], 'PROTOCOL_ERROR'],
  ['Connection names Authorization, with spaces', ['Connection', 'close ,\t authorization '], 'PROTOCOL_ERROR'],
  ['a second Connection that names a header', ['Connection', 'close', 'connection', 'host'], 'PROTOCOL_ERROR'],
  ['two tokens', ['authorization', 'Bearer other'], 'PROTOCOL_ERROR'],
  ['two hosts', ['host', 'other'], 'PROTOCOL_ERROR'],
  ['two agents', ['user-agent', 'other'], 'PROTOCOL_ERROR'],
  ['two lengths', ['content-length', '5', 'content-length', '6'], 'PROTOCOL_ERROR'],
  ['a length and chunks', ['content-length', '5', 'transfer-encoding', 'chunked'], 'PROTOCOL_ERROR'],
  ['chunks twice', ['transfer-encoding', 'chunked', 'Transfer-Encoding', 'chunked'], 'PROTOCOL_ERROR'],
  ['another coding', ['transfer-encoding', 'gzip, chunked'], 'PROTOCOL_ERROR'],
  ['no number', ['content-length', '+5'], 'PROTOCOL_ERROR'],
  ['another expectation', ['expect', '200-ok'], 'PROTOCOL_ERROR'],
  ['a name with a space', ['Impersonate-User ', 'bob'], 'PROTOCOL_ERROR'],
]

for (const [trap, more, code] of refused)
  t.test(`§8.5: ${trap} is refused`, async (t) => {
    for (const [way, send] of Object.entries(ways)) t.throws(() => send(more), { code }, way)
  })

t.test('trap 7, §8.5: what goes on: names that are known, and our own', async (t) => {
  const dropped = [
    ...[
      'X-Forwarded-For',
      '10.0.0.1',
      'Forwarded',
      'for=10.0.0.1',
      'X-Real-Ip',
      '10.0.0.1',
      'X-Forwarded-Proto',
      'http',
    ],
    ...[
      'Cookie',
      'a=b',
      'Origin',
      'https://evil',
      'X-Http-Method-Override',
      'DELETE',
      'Audit-Id',
      'forged',
      'Proxy-Authorization',
      'x',
    ],
    ...['Connection', 'keep-alive', 'Keep-Alive', 'timeout=5', 'TE', 'trailers', 'Expect', '100-continue'],
    ...['constructor', 'x', '__proto__', 'y'],
  ]
  const kept = [
    'Accept',
    'text/plain',
    'Kubectl-Command',
    'kubectl get',
    'Kubectl-Session',
    'id',
    'Content-Type',
    'application/json',
  ]
  t.same(requestHeaders([...plain, ...dropped, ...kept, 'Content-Length', '5'], ours), [
    ...begin,
    ...['user-agent', 'kubectl/v1.32.5', 'accept', 'application/json', 'accept', 'text/plain'],
    ...[
      'kubectl-command',
      'kubectl get',
      'kubectl-session',
      'id',
      'content-type',
      'application/json',
      'content-length',
      '5',
    ],
  ])
  t.same(requestHeaders(['Transfer-Encoding', 'Chunked'], ours), [...begin, 'transfer-encoding', 'chunked'])
  t.throws(() => requestHeaders(websocket, ours), { code: 'UNSUPPORTED' })
})

t.test('trap 10: a websocket goes on without extensions, and with protocols that can be read along', async (t) => {
  const more = [
    'Sec-WebSocket-Extensions',
    'permessage-deflate',
    'Sec-WebSocket-Protocol',
    'x, base64url.bearer.authorization.k8s.io.dG9rZW4',
  ]
  const { headers, asked } = upgrade([...websocket, ...more])
  t.same(headers.slice(begin.length), [
    ...['user-agent', 'kubectl/v1.32.5', 'accept', 'application/json', 'connection', 'Upgrade', 'upgrade', 'websocket'],
    ...['sec-websocket-key', key, 'sec-websocket-version', '13', 'sec-websocket-protocol', 'v5.channel.k8s.io'],
  ])
  t.same(asked.offered, ['v5.channel.k8s.io'])
})

t.test('SPDY goes on with protocols that can be read along', async (t) => {
  const { headers, asked } = upgrade(spdy)
  t.same(headers.slice(-8), [
    ...['connection', 'Upgrade', 'upgrade', 'SPDY/3.1'],
    ...['x-stream-protocol-version', 'v5.channel.k8s.io', 'x-stream-protocol-version', 'v4.channel.k8s.io'],
  ])
  t.notOk(headers.includes('content-length'))
  t.same(asked.offered, ['v5.channel.k8s.io', 'v4.channel.k8s.io'])
})

/** @param value undefined: without that header */
function without(raw: readonly string[], name: string, value?: string): string[] {
  const rest: string[] = []
  for (let i = 0; i < raw.length; i += 2) if (raw[i]?.toLowerCase() !== name) rest.push(raw[i] ?? '', raw[i + 1] ?? '')
  return value === undefined ? rest : [...rest, name, value]
}

t.test('upgrades that are refused', async (t) => {
  const cases: readonly (readonly [what: string, raw: string[], code: ErrorCode])[] = [
    ['to something else', without(websocket, 'upgrade', 'h2c'), 'UNSUPPORTED'],
    ['to several', without(websocket, 'upgrade', 'websocket, SPDY/3.1'), 'UNSUPPORTED'],
    ['without Connection', without(websocket, 'connection'), 'PROTOCOL_ERROR'],
    ['without a key', without(websocket, 'sec-websocket-key'), 'PROTOCOL_ERROR'],
    ['with another key', without(websocket, 'sec-websocket-key', 'short'), 'PROTOCOL_ERROR'],
    ['of another version', without(websocket, 'sec-websocket-version', '8'), 'UNSUPPORTED'],
    ['without a protocol', without(websocket, 'sec-websocket-protocol'), 'UNSUPPORTED'],
    ['with old protocols', without(websocket, 'sec-websocket-protocol', 'v3.channel.k8s.io'), 'UNSUPPORTED'],
    ['by SPDY without a protocol', without(spdy, 'x-stream-protocol-version'), 'UNSUPPORTED'],
    ['with a body', without(spdy, 'content-length', '5'), 'PROTOCOL_ERROR'],
    ['with chunks', [...websocket, 'Transfer-Encoding', 'chunked'], 'PROTOCOL_ERROR'],
  ]
  for (const [what, raw, code] of cases) t.throws(() => upgrade(raw), { code }, what)
})

const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
const answer = [
  'Upgrade',
  'websocket',
  'Connection',
  'Upgrade',
  'Sec-WebSocket-Accept',
  accept,
  'Sec-WebSocket-Protocol',
  'v5.channel.k8s.io',
]

t.test('trap 8, CVE-2018-1002105: only a 101 with what was asked for is an upgrade', async (t) => {
  const { asked } = upgrade(websocket)
  t.equal(accept, 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=', 'the example of RFC 6455, 1.3')
  t.equal(readSwitch(101, answer, asked), 'v5.channel.k8s.io')
  const code = 'TARGET_REFUSED'
  // CVE-2020-8559, CVE-2022-3172: also no redirect.
  for (const status of [100, 200, 302, 307, 400, 403, 500]) t.throws(() => readSwitch(status, answer, asked), { code })
  t.throws(() => readSwitch(101, without(answer, 'upgrade'), asked), { code })
  t.throws(() => readSwitch(101, without(answer, 'upgrade', 'SPDY/3.1'), asked), { code })
  t.throws(() => readSwitch(101, without(answer, 'sec-websocket-accept', key), asked), { code })
  t.throws(() => readSwitch(101, without(answer, 'sec-websocket-protocol'), asked), { code })
  t.throws(() => readSwitch(101, without(answer, 'sec-websocket-protocol', 'v4.channel.k8s.io'), asked), { code })
  t.throws(() => readSwitch(101, [...answer, 'Sec-WebSocket-Extensions', 'permessage-deflate'], asked), { code })
  const bySpdy = ['Upgrade', 'SPDY/3.1', 'Connection', 'Upgrade', 'X-Stream-Protocol-Version', 'v4.channel.k8s.io']
  t.equal(readSwitch(101, bySpdy, upgrade(spdy).asked), 'v4.channel.k8s.io')
  t.throws(() => readSwitch(101, [...bySpdy, 'X-Stream-Protocol-Version', 'v5.channel.k8s.io'], upgrade(spdy).asked), {
    code,
  })
})

t.test('trap 2, K-7: the protocol of forwarded ports, with its slash', async (t) => {
  const { asked } = upgradeHeaders(
    without(websocket, 'sec-websocket-protocol', 'SPDY/3.1+portforward.k8s.io'),
    streamProtocols.forward,
  )
  t.same(asked.offered, ['SPDY/3.1+portforward.k8s.io'])
  t.equal(
    readSwitch(101, without(answer, 'sec-websocket-protocol', 'SPDY/3.1+portforward.k8s.io'), asked),
    asked.offered[0],
  )
})

t.test('the connect token', async (t) => {
  t.equal(bearerToken(plain), 'token')
  t.equal(bearerToken(['AUTHORIZATION', 'bearer   a.b-c_d~e+f/g==']), 'a.b-c_d~e+f/g==')
  for (const wrong of [
    [],
    ['authorization', 'Basic x'],
    ['authorization', 'Bearer'],
    ['authorization', 'Bearer a b'],
    [...plain, ...plain],
  ])
    t.throws(() => bearerToken(wrong), { code: 'TOKEN_INVALID' })
})
