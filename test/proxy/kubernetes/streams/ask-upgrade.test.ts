import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { ownHeaders, upgradeHeaders } from '../../../../proxy/kubernetes/headers.ts'
import { askUpgrade } from '../../../../proxy/kubernetes/streams/ask-upgrade.ts'
import { encodeAnswer, encodeSwitch, streamProtocols } from '../../../../proxy/kubernetes/upgrade.ts'
import { waitUntil } from '../../../wait-until.ts'

const ours = { host: 'cluster', authorization: 'Bearer x', forwardedFor: '192.0.2.7' }
const offers = {
  websocket: [
    ...['Connection', 'Upgrade', 'Upgrade', 'websocket', 'Sec-WebSocket-Version', '13'],
    ...['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Protocol', 'v5.channel.k8s.io'],
  ],
  'SPDY/3.1': ['Connection', 'Upgrade', 'Upgrade', 'SPDY/3.1', 'X-Stream-Protocol-Version', 'v4.channel.k8s.io'],
}
const switched = {
  websocket: [
    ...['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket'],
    ...['Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=', 'Sec-WebSocket-Protocol: v5.channel.k8s.io', '', ''],
  ].join('\r\n'),
  'SPDY/3.1':
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n',
}

/** A server that answers the first request by these bytes. Null: not at all. */
async function ask(
  t: Test,
  reply: string | null,
  upgrade: keyof typeof offers = 'websocket',
  signal = AbortSignal.timeout(20_000),
) {
  const heard: string[] = []
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      const isFirst = heard.length === 0
      heard.push(chunk.toString('latin1'))
      if (isFirst && reply !== null) socket.write(reply, 'latin1')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stream = connect((server.address() as AddressInfo).port, '127.0.0.1')
  await once(stream, 'connect')
  t.teardown(() => {
    for (const socket of [...sockets, stream]) socket.destroy()
    server.close()
  })
  const { passed, asked } = upgradeHeaders(offers[upgrade], streamProtocols.exec)
  const headers = [...ownHeaders(ours), ...passed]
  const method = upgrade === 'websocket' ? 'GET' : 'POST'
  const path = '/api/v1/namespaces/a/pods/b/exec?command=id&stdout=true'
  return { heard, sockets, stream, asked, path, answer: askUpgrade(stream, { method, path, headers, asked }, signal) }
}

for (const upgrade of ['websocket', 'SPDY/3.1'] as const)
  t.test(`${upgrade}: a 101 gives the stream, and what came with it`, async (t) => {
    const { answer, heard, path, asked } = await ask(t, `${switched[upgrade]}ahead`, upgrade)
    const read = await answer
    t.match(read, { isSwitched: true, protocol: asked.offered[0] })
    if (!read.isSwitched) return
    t.equal(read.ahead.toString(), 'ahead')
    read.stream.write('from the client')
    await waitUntil(() => heard.join('').endsWith('from the client'), 'bytes go on')
    t.ok(heard[0]?.startsWith(`${upgrade === 'websocket' ? 'GET' : 'POST'} ${path} HTTP/1.1\r\nhost: cluster\r\n`))
    t.equal(/content-length: 0\r\n/.test(heard[0] ?? ''), upgrade !== 'websocket')
    t.notMatch(heard[0], /transfer-encoding/i)
    t.equal(encodeSwitch(asked, asked.offered[0] ?? '').toString(), switched[upgrade], 'the same for the client')
  })

t.test(
  'trap 8, §8.7: a refusal with a body on a connection that is kept alive is read, and its connection dropped',
  async (t) => {
    const body = '{"kind":"Status","message":"no"}'
    const head = 'Content-Type: application/json\r\nAudit-Id: a\r\nConnection: keep-alive\r\nSet-Cookie: a=b'
    for (const status of [400, 401, 403, 404, 500, 503]) {
      const { answer, stream, heard } = await ask(
        t,
        `HTTP/1.1 ${status} X\r\n${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      )
      const read = await answer
      t.same(read, {
        isSwitched: false,
        status,
        headers: ['Content-Type', 'application/json', 'Audit-Id', 'a'],
        body: Buffer.from(body),
      })
      t.ok(stream.destroyed)
      t.equal(heard.length, 1)
    }
  },
)

const json = 'Content-Type: text/plain\r\n'
const refused: Readonly<Record<string, string>> = {
  'CVE-2018-1002105: 200': `HTTP/1.1 200 OK\r\n${json}Content-Length: 2\r\n\r\nok`,
  'CVE-2020-8559: a redirect': `HTTP/1.1 302 Found\r\nLocation: https://evil/\r\nContent-Length: 0\r\n\r\n`,
  'another protocol of streams': switched.websocket.replace('v5.channel', 'v4.channel'),
  'another upgrade': switched.websocket.replace('Upgrade: websocket', 'Upgrade: h2c'),
  'another key': switched.websocket.replace('s3pPLM', 'S3pPLM'),
  'an extension': switched.websocket.replace(
    'Connection:',
    'Sec-WebSocket-Extensions: permessage-deflate\r\nConnection:',
  ),
  '101 without an upgrade': 'HTTP/1.1 101 Switching Protocols\r\n\r\n',
  'an answer without end': `HTTP/1.1 403 Forbidden\r\n${json}\r\n${'x'.repeat(70_000)}`,
}

for (const [what, reply] of Object.entries(refused))
  t.test(`§8.7: ${what} is refused, and the connection dropped`, async (t) => {
    const { answer, stream } = await ask(t, reply)
    await t.rejects(answer, { code: 'TARGET_REFUSED' })
    t.ok(stream.destroyed)
  })

t.test('a server that is lost, or that speaks something else', async (t) => {
  for (const reply of ['HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nhalf', 'SSH-2.0-OpenSSH\r\n']) {
    const { answer, sockets } = await ask(t, reply)
    await waitUntil(() => sockets.length > 0, 'it is connected')
    setImmediate(() => sockets[0]?.end())
    await t.rejects(answer, { code: 'TARGET_LOST' })
  }
})

t.test('a cut while the answer is awaited', async (t) => {
  const cut = new AbortController()
  const { answer, stream, heard } = await ask(t, null, 'websocket', cut.signal)
  await waitUntil(() => heard.length > 0, 'it is asked')
  cut.abort({ reason: 'grant-revoked' })
  t.same(await answer.catch((reason: unknown) => reason), { reason: 'grant-revoked' })
  t.ok(stream.destroyed)
})

t.test('a refusal for the client, byte for byte', async (t) => {
  t.equal(
    encodeAnswer(403, ['content-type', 'text/plain'], Buffer.from('no')).toString(),
    'HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno',
  )
})
