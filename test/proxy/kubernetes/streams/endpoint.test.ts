import t from 'tap'
import { waitUntil } from '../../../wait-until.ts'
import { numbered } from '../../relay/scripted-doorman.ts'
import { answer, host, pod, startEndpoint, switched } from './endpoint-fixture.ts'
import { connection, masked, onChannel, spdyData, synReply, synStream, unmasked } from './frames.ts'

const exec = `${pod}/exec?command=sh&command=-c&command=echo+hi&container=web&stdout=true&stderr=true`
const shell = `${pod}/exec?command=sh&stdin=true&stdout=true&tty=true`
/** The requests of a token are one session; the first stream is the next. */
const [requests, first, second] = [numbered(1), numbered(2), numbered(3)]
const out = (text: string) => unmasked(onChannel(1, text))
const exited = (code: number) => {
  const causes = [{ reason: 'ExitCode', message: String(code) }]
  return unmasked(onChannel(3, JSON.stringify({ status: 'Failure', reason: 'NonZeroExitCode', details: { causes } })))
}
const closed = unmasked(Buffer.from([3, 0xe8]), 8)

t.test('exec by websocket: a session of its own, recorded as a terminal', async (t) => {
  const { ask, asked, seen } = await startEndpoint(t)
  const client = await ask(exec, { lines: ['Kubectl-Command: kubectl exec', 'X-Forwarded-For: 10.0.0.1'] })
  const { socket, text } = await asked(0)
  t.match(
    text(),
    `GET ${exec} HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer signed-1\r\nx-forwarded-for: 127.0.0.1\r\n`,
  )
  t.notMatch(text(), /10\.0\.0\.1|Bearer token/)
  t.match(seen.entriesOf[first], [{ type: 'terminal', stream: 'exec', argv: ['sh', '-c', 'echo hi'] }], 'written ahead')
  socket.write(switched.websocket())
  await client.gets('Sec-WebSocket-Accept')
  socket.write(Buffer.concat([out('hi\n'), unmasked(onChannel(2, 'oh\n')), exited(3), closed]))
  await client.gets('ExitCode')
  client.socket.end()
  await waitUntil(() => seen.endOf[first] !== undefined, 'its session has ended')
  t.match(seen.entriesOf[first], [
    { type: 'terminal', role: 'View', namespace: 'shop', pod: 'web-1', container: 'web', tty: false, cols: 80 },
    { type: 'output', text: 'hi\n' },
    { type: 'output', text: 'oh\n', stream: 'stderr' },
    { type: 'end', exitCode: 3, streams: { stdout: { bytes: 3 }, stderr: { bytes: 3 } } },
  ])
  t.match(seen.endOf[first], { reason: 'client-closed' })
  t.match(seen.asks, [{}, { tool: 'kubectl exec', level: 'readonly', resourceId: /\/web$/ }])
  t.match(seen.details.at(-1), { stream: 'exec', namespace: 'shop', pod: 'web-1', container: 'web' })
  t.notOk(seen.endOf[requests], 'that of the requests goes on')
})

t.test('exec by SPDY', async (t) => {
  const { ask, asked, seen } = await startEndpoint(t)
  const client = await ask(exec, { upgrade: 'SPDY/3.1' })
  const { socket, text } = await asked(0)
  t.match(text(), /^POST [\s\S]*content-length: 0\r\n/)
  socket.write(switched['SPDY/3.1']())
  await client.gets('X-Stream-Protocol-Version: v4.channel.k8s.io')
  client.socket.write(
    Buffer.concat(['error', 'stdout'].map((streamtype, i) => synStream(2 * i + 1, { streamtype }, i === 0))),
  )
  socket.write(
    Buffer.concat([
      synReply(1, true),
      synReply(3, false),
      spdyData(3, 'hi'),
      spdyData(1, '{"status":"Success"}', true),
    ]),
  )
  await client.gets('Success')
  client.socket.end()
  await waitUntil(() => seen.endOf[first] !== undefined, 'its session has ended')
  t.match(seen.entriesOf[first], [{ type: 'terminal' }, { type: 'output', text: 'hi' }, { type: 'end', exitCode: 0 }])
})

t.test('a terminal: the person is told that it is recorded, sizes are kept, and what is typed is not', async (t) => {
  const { ask, asked, seen, host } = await startEndpoint(t)
  const client = await ask(shell)
  const { socket, text } = await asked(0)
  socket.write(switched.websocket())
  await client.gets('[this session is recorded]')
  client.socket.write(
    Buffer.concat([masked(onChannel(4, '{"Width":100,"Height":30}')), masked(onChannel(0, 'secret'))]),
  )
  await waitUntil(() => text().endsWith(masked(onChannel(0, 'secret')).toString('latin1')), 'it is typed')
  socket.write(out('$ '))
  await client.gets('$ ')
  t.equal(await host.tell(first, 'bob watches this session'), true)
  await client.gets('[bob watches this session]')
  client.socket.end()
  await waitUntil(() => seen.endOf[first] !== undefined, 'its session has ended')
  t.match(seen.entriesOf[first], [
    { type: 'terminal', tty: true },
    { type: 'notice', text: 'this session is recorded' },
    { type: 'resize', cols: 100, rows: 30 },
    { type: 'output', text: '$ ' },
    { type: 'notice', text: 'bob watches this session' },
    { type: 'resize', cols: 100, rows: 30 },
  ])
  t.equal(await host.tell(first, 'too late'), false)
})

t.test('what is typed is recorded where the level says so, which the person is told', async (t) => {
  const { ask, asked, seen } = await startEndpoint(t, { rules: { recordsInput: true } })
  const client = await ask(shell)
  const { socket, text } = await asked(0)
  socket.write(switched.websocket())
  await client.gets('with everything that you type, passwords too')
  client.socket.write(masked(onChannel(0, 'ls\n')))
  await waitUntil(() => text().endsWith(masked(onChannel(0, 'ls\n')).toString('latin1')), 'it is typed')
  t.match(seen.entriesOf[first]?.at(-1), { type: 'input', text: 'ls\n' })
})

t.test('§8.8: characters that are split over frames, on both outputs', async (t) => {
  const { ask, asked, seen } = await startEndpoint(t)
  const client = await ask(exec)
  const { socket } = await asked(0)
  socket.write(switched.websocket())
  const word = Buffer.from('Zürich €').toString('latin1')
  for (const at of [1, 2]) for (const byte of word) socket.write(unmasked(onChannel(at, byte)))
  socket.write(Buffer.concat([exited(0), closed]))
  await client.gets('ExitCode')
  client.socket.end()
  await waitUntil(() => seen.endOf[first] !== undefined, 'its session has ended')
  const output = (seen.entriesOf[first] as { type: string; text: string; stream?: string }[]).filter(
    ({ type }) => type === 'output',
  )
  for (const named of [undefined, 'stderr'])
    t.equal(
      output
        .filter(({ stream }) => stream === named)
        .map(({ text }) => text)
        .join(''),
      'Zürich €',
    )
})

t.test('an archive through exec, as kubectl cp has it: sizes and digests', async (t) => {
  const { ask, asked, seen } = await startEndpoint(t)
  const client = await ask(`${pod}/exec?command=tar&command=cf&command=-&stdout=true&stderr=true`)
  const { socket } = await asked(0)
  socket.write(switched.websocket())
  const archive = 'name\0\0\0'.repeat(1000)
  socket.write(Buffer.concat([out(archive), unmasked(onChannel(3, '{"status":"Success"}')), closed]))
  await client.gets('Success')
  client.socket.end()
  await waitUntil(() => seen.endOf[first] !== undefined, 'its session has ended')
  t.match(seen.entriesOf[first], [
    { type: 'terminal', argv: ['tar', 'cf', '-'] },
    { type: 'notice', text: /stdout is recorded by its size and digest: it is binary/ },
    { type: 'end', exitCode: 0, streams: { stdout: { bytes: 7000, hmac: /^[0-9a-f]{64}$/ } } },
  ])
})

t.test('port-forward: each connection with its port, before its first byte goes on', async (t) => {
  const { ask, asked, seen } = await startEndpoint(t)
  const client = await ask(`${pod}/portforward`, { upgrade: 'SPDY/3.1', protocol: 'portforward.k8s.io' })
  const { socket, text } = await asked(0)
  socket.write(switched['SPDY/3.1']('portforward.k8s.io'))
  await client.gets('portforward.k8s.io')
  client.socket.write(Buffer.concat([connection(1, 8080, 0), spdyData(3, 'GET /')]))
  await waitUntil(() => text().endsWith('GET /'), 'it is passed on')
  t.match(seen.entriesOf[first], [
    { type: 'stream', stream: 'portforward' },
    { type: 'connection', id: 1, port: 8080 },
  ])
  socket.write(
    Buffer.concat([synReply(1, true), synReply(3, false), spdyData(3, 'hello'), spdyData(1, 'refused', true)]),
  )
  await client.gets('refused')
  client.socket.end()
  await waitUntil(() => seen.endOf[first] !== undefined, 'its session has ended')
  t.match(seen.entriesOf[first]?.slice(2), [
    { type: 'connection-end', id: 1, port: 8080, bytesUp: 5, bytesDown: 5, error: 'refused' },
    { type: 'end', connections: 1, bytesUp: 5, bytesDown: 5 },
  ])
})

t.test('a cut: why, in the client’s own protocol, and the cluster sees the end', async (t) => {
  const { ask, asked, cut, seen } = await startEndpoint(t)
  const client = await ask(exec)
  const { socket } = await asked(0)
  socket.write(switched.websocket())
  await client.gets('Sec-WebSocket-Accept')
  const left = new Promise((resolve) => socket.once('close', resolve))
  await cut({}, first)
  await client.gets('"message":"access was revoked by bob@example.com: incident 42"')
  await client.closes()
  await left
  t.match(seen.endOf[first], { reason: 'grant-revoked' })
  t.match(seen.entriesOf[first]?.at(-1), { type: 'notice', text: /incident 42/ })
})

t.test(
  'grant-end races: SPDY: a cut while the client opens its streams, each once the one before has its reply',
  async (t) => {
    const { ask, asked, cut, seen } = await startEndpoint(t)
    const client = await ask(exec, { upgrade: 'SPDY/3.1' })
    const { socket } = await asked(0)
    socket.write(switched['SPDY/3.1']())
    await client.gets('101')
    client.socket.write(synStream(1, { streamtype: 'error' }, true))
    await waitUntil(() => seen.details.length === 2, 'it has begun')
    await cut({}, first)
    const replies = (count: number) =>
      waitUntil(() => client.text().split('\x80\x03\x00\x02').length === count + 1, `${count} replies`)
    await replies(1)
    t.notMatch(client.text(), /incident 42/)
    client.socket.write(synStream(3, { streamtype: 'stdout' }, false))
    await replies(2)
    client.socket.write(synStream(5, { streamtype: 'stderr' }, false))
    await client.gets('incident 42')
    await client.closes()
  },
)

t.test('grant-end races: a cut while the cluster is asked is answered in HTTP', async (t) => {
  const { ask, asked, cut, seen } = await startEndpoint(t)
  const client = await ask(exec)
  await asked(0)
  await cut({}, first)
  t.match(await client.closes(), /^HTTP\/1\.1 403 Forbidden[\s\S]*"message":"Sallyport: [^"]*incident 42"/)
  t.match(seen.endOf[first], { reason: 'grant-revoked' })
})

t.test('trap 5, §8.3: denied by the level: answered in HTTP, on record once for both ways', async (t) => {
  const rule = { verbs: ['get'], groups: [''], resources: ['*'], namespaces: ['*'], names: null }
  const { ask, accepted, seen } = await startEndpoint(t, { rules: { rules: [rule] } })
  for (const upgrade of ['websocket', 'SPDY/3.1'] as const)
    t.match(
      await (await ask(exec, { upgrade, lines: ['Kubectl-Session: 1'] })).closes(),
      /^HTTP\/1\.1 403 Forbidden\r\n[\s\S]*Connection: close\r\n\r\n.*it needs \\"exec\\" on pods \\"web-1\\" in the namespace/,
    )
  t.match(seen.entriesOf[requests], [{ type: 'request', subresource: 'exec', refused: /does not allow it/ }])
  t.equal(seen.entriesOf[requests]?.length, 1)
  await (await ask(exec, { lines: ['Kubectl-Session: 2'] })).closes()
  t.equal(seen.entriesOf[requests]?.length, 2, 'another action')
  t.equal(seen.asks.length, 1, 'no session was asked for')
  t.equal(accepted.length, 0)
})

t.test('K-1: an upgrade goes by HTTP/1.1 to a cluster that offers h2 as well', async (t) => {
  const { ask, asked } = await startEndpoint(t)
  for (const [at, upgrade] of (['websocket', 'SPDY/3.1'] as const).entries()) {
    await ask(exec, { upgrade })
    const { alpn, text } = await asked(at)
    t.not(alpn, 'h2')
    t.match(text(), / HTTP\/1\.1\r\n/)
  }
})

t.test('a session that the doorman refuses is asked for once', async (t) => {
  const { ask, seen, control, accepted } = await startEndpoint(t)
  await (await ask(exec, { method: 'PUT' })).closes()
  const { BrokerError } = await import('../../../../proxy/session.ts')
  control.refusal = new BrokerError('TOO_MANY_SESSIONS')
  for (const upgrade of ['websocket', 'SPDY/3.1'] as const)
    t.match(await (await ask(exec, { upgrade })).closes(), /^HTTP\/1\.1 429 [\s\S]*retry-after: 2\r\n/)
  t.equal(seen.asks.length, 2)
  t.equal(accepted.length, 0)
})

t.test('trap 5: a websocket that the cluster refuses, and SPDY behind it, are one session', async (t) => {
  const { ask, asked, seen } = await startEndpoint(t)
  const refused = await ask(exec)
  const status = '{"kind":"Status","message":"no websockets here"}'
  const before = await asked(0)
  before.socket.write(answer(400, ['Content-Type: application/json', 'Connection: keep-alive'], status))
  t.match(
    await refused.closes(),
    /^HTTP\/1\.1 400 Bad Request\r\nContent-Type: application\/json\r\n[\s\S]*no websockets here/,
  )
  t.notOk(seen.endOf[first], 'it waits')
  const client = await ask(exec, { upgrade: 'SPDY/3.1' })
  const { socket } = await asked(1)
  t.ok(before.socket.destroyed || before.socket.readableEnded, 'the other connection is not used again')
  socket.write(switched['SPDY/3.1']())
  await client.gets('101')
  client.socket.write(synStream(1, { streamtype: 'error' }, true))
  socket.write(Buffer.concat([synReply(1, true), spdyData(1, '{"status":"Success"}', true)]))
  await client.gets('Success')
  client.socket.end()
  await waitUntil(() => seen.endOf[first] !== undefined, 'its session has ended')
  t.match(seen.entriesOf[first], [
    { type: 'terminal' },
    { type: 'notice', text: /the cluster answered 400: .*no websockets here/ },
    { type: 'end', exitCode: 0 },
  ])
  t.equal(seen.asks.length, 2)
  t.notOk(seen.entriesOf[second])
})

t.test('a drain waits neither for a second attempt nor for requests that may come', async (t) => {
  const { ask, asked, seen, drain } = await startEndpoint(t)
  const refused = await ask(exec)
  ;(await asked(0)).socket.write(answer(404, [], ''))
  await refused.closes()
  drain()
  await waitUntil(() => seen.ends.length === 2, 'both have ended')
  t.match(seen.endOf, { [requests]: { reason: 'drain' }, [first]: { reason: 'open-failed' } })
})

const attacks: Readonly<Record<string, { path?: string; lines?: readonly string[]; status: number }>> = {
  'kubectl --as': { lines: ['Impersonate-User: bob'], status: 403 },
  'X-Remote-Group': { lines: ['X-Remote-Group: system:masters'], status: 403 },
  'CVE-2021-31999: Connection names a header': { lines: ['Connection: Impersonate-User'], status: 400 },
  'a body': { lines: ['Transfer-Encoding: chunked'], status: 400 },
  'an upgrade of a list': { path: '/api/v1/namespaces/shop/pods', status: 400 },
  'an upgrade of a watch': { path: '/api/v1/namespaces/shop/pods?watch=true', status: 403 },
  'an upgrade of a service’s proxy': { path: '/api/v1/namespaces/shop/services/web/proxy/', status: 403 },
  'an escaped slash': { path: '/api/v1/namespaces/shop%2Fpods/web-1/exec', status: 400 },
  'two containers': { path: `${exec}&container=other`, status: 400 },
}

for (const [what, { path = exec, lines = [], status }] of Object.entries(attacks))
  t.test(`§8.5: ${what}: refused in HTTP, and the cluster is not asked`, async (t) => {
    const { ask, accepted } = await startEndpoint(t)
    const client = await ask(path, { lines })
    t.match(await client.closes(), new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*Sallyport: `))
    t.equal(accepted.length, 0)
  })

t.test('upgrades to something else, and foreign protocols of streams', async (t) => {
  const { ask, accepted } = await startEndpoint(t)
  const foreign = await ask(exec, { protocol: 'chat' })
  t.match(await foreign.closes(), /^HTTP\/1\.1 400 [\s\S]*offers none of v5\.channel\.k8s\.io/)
  const other = await ask(exec, { method: 'POST', lines: ['Kubectl-Session: 2'] })
  t.match(await other.closes(), /^HTTP\/1\.1 400 [\s\S]*an upgrade to websocket is asked for by GET/)
  t.equal(accepted.length, 0)
})

const answers: Readonly<Record<string, string>> = {
  'CVE-2018-1002105: 200': answer(200, ['Content-Type: text/plain'], 'ok'),
  'CVE-2020-8559: a redirect': answer(302, ['Location: https://evil/']),
  'another protocol of streams': switched.websocket('v4.channel.k8s.io'),
}

for (const [what, reply] of Object.entries(answers))
  t.test(`§8.7: the cluster answers with ${what}: 502, and both connections are closed`, async (t) => {
    const { ask, asked } = await startEndpoint(t)
    const client = await ask(exec)
    const { socket } = await asked(0)
    const left = new Promise((resolve) => socket.once('close', resolve))
    socket.write(reply)
    t.match(await client.closes(), /^HTTP\/1\.1 502 Bad Gateway\r\n/)
    await left
  })

t.test('401, which the client would take for its own: one more token is tried', async (t) => {
  const { ask, asked, seen } = await startEndpoint(t)
  const client = await ask(exec)
  ;(await asked(0)).socket.write(answer(401, [], 'no'))
  const { socket, text } = await asked(1)
  t.match(text(), /authorization: Bearer signed-2\r\n/)
  socket.write(answer(401, [], 'no'))
  t.match(await client.closes(), /^HTTP\/1\.1 502 [\s\S]*does not take the role/)
  t.equal(seen.asks.length, 2)
})

t.test('a cluster that does not answer', async (t) => {
  const { ask, seen } = await startEndpoint(t, { engine: { connectTimeoutMs: 50 } })
  const client = await ask(exec, { upgrade: 'SPDY/3.1' })
  t.match(await client.closes(), /^HTTP\/1\.1 502 [\s\S]*no answer within/)
  await waitUntil(() => seen.endOf[first] !== undefined, 'its session has ended')
  t.match(seen.endOf[first], { reason: 'open-failed', error: { code: 'TARGET_UNREACHABLE' } })
})

t.test('a client that leaves while the cluster is asked', async (t) => {
  const { ask, asked, seen } = await startEndpoint(t)
  const client = await ask(exec)
  const { socket } = await asked(0)
  const left = new Promise((resolve) => socket.once('close', resolve))
  client.socket.destroy()
  await left
  await waitUntil(() => seen.endOf[first] !== undefined, 'its session has ended')
  t.match(seen.endOf[first], { reason: 'client-closed' })
})

t.test('what cannot be recorded is not asked', async (t) => {
  const { ask, control, accepted, seen } = await startEndpoint(t)
  control.breaks = true
  const client = await ask(exec)
  t.match(await client.closes(), /^HTTP\/1\.1 503 [\s\S]*the recording cannot be written/)
  t.equal(accepted.length, 0)
  await waitUntil(() => seen.endOf[first] !== undefined, 'its session has ended')
  t.match(seen.endOf[first], { reason: 'recording-failed' })
})

t.test('the cluster is asked once the command is on file', async (t) => {
  const { ask, asked, control, accepted } = await startEndpoint(t)
  control.holds = true
  await ask(exec)
  const isHeld = control.written
  await waitUntil(() => control.written !== isHeld, 'it is being written')
  t.equal(accepted.length, 0)
  control.written()
  await asked(0)
})
