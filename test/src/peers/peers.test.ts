/** Calls between daemons: what a network, a balancer or a stranger may try, on both sides of the wire. */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { BrokerError } from '../../../proxy/session.ts'
import { quickCall } from '../../../src/cli/api/quick-call.ts'
import type { PeerAnswer } from '../../../src/contract/peers.ts'
import { buildApp } from '../../../src/http/app.ts'
import { peerRoutes } from '../../../src/http/routes/peers.ts'
import type { IdentityService } from '../../../src/identity/identity.ts'
import type { PeerHandlers } from '../../../src/peers/peer-answers.ts'
import { PeerGuard } from '../../../src/peers/peer-guard.ts'
import { peerHeader, readHead, signMessage } from '../../../src/peers/peer-message.ts'
import { type Peer, Peers, pathOf } from '../../../src/peers/peers.ts'
import { type Keyring, openKeyring } from '../../../src/store/keyring.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'

const logger = pino({ level: 'silent' })
const publicUrl = 'http://localhost'
const keyring = openKeyring(join(t.testdir(), 'keys'))
const others = openKeyring(join(t.testdir({ others: {} }), 'others', 'keys'))
const now = 1_800_000_000_000
const clock = { now: () => now }

const session = `ses_${'0'.repeat(26)}`
const bytes = Buffer.from('{"v":1}\n').toString('base64')
const ask = {
  protocol: 'postgres',
  id: 7,
  key: 'aabb',
  origin: { address: '10.0.0.9', port: 1, via: 'listener' },
} as const

interface Served {
  readonly url: string
  readonly asked: unknown[]
}

/** A daemon `dmn_b` of the installation. */
async function serve(t: Test, handlers: Partial<PeerHandlers> = {}): Promise<Served> {
  const asked: unknown[] = []
  const all: PeerHandlers = {
    cancel: async (it) => {
      asked.push(it)
      return { isRight: true }
    },
    stop: async () => ({ result: 'denied' }),
    mark: () => Promise.reject(new Error('a secret of the inside')),
    recording: async ({ offset }) => ({ isThere: true, bytes: offset === 0 ? bytes : '' }),
    tell: async () => ({ isShown: false, size: 0 }),
    ...handlers,
  }
  const deps = { keyring, clock, logger, daemonId: 'dmn_b' }
  const app = await buildApp({
    identity: { authenticate: async () => null } as unknown as IdentityService,
    logger,
    metrics: createMetrics(),
    publicUrl,
    trustedProxies: [],
    peers: new PeerGuard(deps),
    routes: [peerRoutes({ ...deps, handlers: all })],
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  return { url: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`, asked }
}

const peerAt = (url: string | null, id = 'dmn_b'): Peer => ({ id, name: 'host-b', url })
const peersWith = (at = clock, timeoutMs = 10_000) => new Peers({ keyring, clock: at, publicUrl, timeoutMs })

t.test('a daemon does what another one asks', async (t) => {
  const { url, asked } = await serve(t)
  const peers = peersWith()
  t.same(await peers.call(peerAt(url), 'cancel', ask), { isRight: true })
  t.same(asked, [ask])
  const stop = { protocol: 'mysql', number: 7, what: 'session', principalId: 'prn_1', resourceId: 'a' } as const
  t.same(await peers.call(peerAt(url), 'stop', { ...stop, origin: ask.origin }), { result: 'denied' })
  t.same(await peers.call(peerAt(`${url}/`), 'recording', { session, offset: 0 }), { isThere: true, bytes })
})

t.test('what it refuses with is told; what fails inside it is not', async (t) => {
  const { url } = await serve(t, {
    recording: () => Promise.reject(new BrokerError('NOT_FOUND', 'there is no recording')),
  })
  await t.rejects(peersWith().call(peerAt(url), 'recording', { session, offset: 0 }), {
    code: 'NOT_FOUND',
    detail: 'there is no recording',
  })
  const failed = await peersWith()
    .call(peerAt(url), 'mark', {})
    .catch((error: unknown) => error)
  t.match(failed, { code: 'INTERNAL' })
  t.notMatch(String(failed), /secret/)
})

/** Sends what a stranger may. */
async function send(
  url: string,
  path: string,
  header: string | undefined,
  body: Buffer,
  type = 'application/octet-stream',
) {
  const headers = { 'content-type': type, ...(header === undefined ? {} : { [peerHeader]: header }) }
  const response = await fetch(`${url}${path}`, { method: 'POST', headers, body: new Uint8Array(body) })
  return { status: response.status, body: (await response.json().catch(() => ({}))) as { code?: string } }
}

const path = pathOf('cancel')
const signed = (more: { keys?: Keyring; to?: string; path?: string; at?: number; content?: unknown } = {}) =>
  signMessage(
    more.keys ?? keyring,
    { side: 'ask', to: more.to ?? 'dmn_b', path: more.path ?? path },
    'content' in more ? more.content : ask,
    more.at ?? now,
  )

t.test('nobody else is heard', async (t) => {
  const { url, asked } = await serve(t)
  const good = signed()
  const otherBody = signed().body
  const tries: Readonly<Record<string, readonly [header: string | undefined, body: Buffer, path?: string]>> = {
    'no signature': [undefined, good.body],
    'a signature of another form': ['v1 x', good.body],
    'the keys of another installation': [signed({ keys: others }).header, signed({ keys: others }).body],
    'a message to another daemon': [signed({ to: 'dmn_c' }).header, good.body],
    'a message that asked for something else': [signed({ path: pathOf('mark') }).header, good.body],
    'an old message': [signed({ at: now - 5001 }).header, good.body],
    'one of tomorrow': [signed({ at: now + 5001 }).header, good.body],
    'another body': [signed().header, otherBody],
    'no body': [signed().header, Buffer.alloc(0)],
    'a path with something behind it': [signed().header, good.body, `${path}?x`],
    'an answer sent back as a question': [
      signMessage(keyring, { side: 'answer', from: 'dmn_b', path }, ask, now).header,
      good.body,
    ],
    'a changed time': [signed().header.replace(String(now), String(now + 1)), good.body],
  }
  for (const [name, [header, body, at = path]] of Object.entries(tries)) {
    const { status, body: problem } = await send(url, at, header, body)
    t.ok(status === 401 || status === 400, `${name}: ${status} ${problem.code}`)
  }
  const head = readHead(good.header)
  t.ok(head)
  for (const member of ['nonce', 'digest', 'mac'] as const) {
    const changed = good.header.replace(head?.[member] ?? '', flipped(head?.[member] ?? ''))
    t.equal((await send(url, path, changed, good.body)).status, 401, `a changed ${member}`)
  }
  t.same(asked, [], 'nothing of it was done')
  t.equal((await send(url, path, good.header, good.body)).status, 200, 'and the real one is heard still')
})

/** Changes a character in the middle: the last one of base64url may have unused bits. */
function flipped(text: string): string {
  const at = Math.floor(text.length / 2)
  return `${text.slice(0, at)}${text[at] === '0' ? '1' : '0'}${text.slice(at + 1)}`
}

t.test('a message is heard once', async (t) => {
  const { url, asked } = await serve(t)
  const { header, body } = signed()
  t.equal((await send(url, path, header, body)).status, 200)
  t.same(await send(url, path, header, body).then(({ status, body: { code } }) => [status, code]), [
    401,
    'PEER_REFUSED',
  ])
  t.equal(asked.length, 1)
})

t.test('nonces are forgotten once their messages are too old, and no sooner', async (t) => {
  let at = now
  const guard = new PeerGuard({ keyring, clock: { now: () => at }, daemonId: 'dmn_b' })
  const admit = ({ header }: { header: string }) => guard.admit({ url: path, headers: { [peerHeader]: header } })
  const early = signed({ at: now + 5000 })
  admit(early)
  at = now + 10_000
  t.throws(() => admit(early), { code: 'PEER_REFUSED' }, 'its time is valid still')
  at = now + 10_001
  t.throws(() => admit(early), { code: 'PEER_REFUSED' }, 'now it is too old')
  admit(signed({ at }))
})

t.test('a body is bounded, and of one type', async (t) => {
  const { url, asked } = await serve(t)
  const long = signed({ content: { ...ask, key: 'a'.repeat(20_000) } })
  t.equal((await send(url, path, long.header, long.body)).status, 400)
  const json = signed()
  t.equal((await send(url, path, json.header, Buffer.from('{}'), 'application/json')).status, 400)
  const other = signed({ content: { ...ask, more: 1 } })
  t.same((await send(url, path, other.header, other.body)).status, 401, 'a member that the schema lacks')
  t.same(asked, [])
})

t.test('without other daemons the route is closed', async (t) => {
  const deps = { keyring, clock, logger, daemonId: 'dmn_b', handlers: {} as PeerHandlers }
  const identity = {} as IdentityService
  const app = await buildApp({
    identity,
    logger,
    metrics: createMetrics(),
    publicUrl,
    trustedProxies: [],
    routes: [peerRoutes(deps)],
  })
  t.teardown(() => app.close())
  const { header, body } = signed()
  const headers = { 'content-type': 'application/octet-stream', [peerHeader]: header }
  t.equal((await app.inject({ method: 'POST', url: path, headers, payload: body })).statusCode, 401)
})

/** Something that is not a daemon, at the address of one. */
async function pretend(t: Test, listener: RequestListener): Promise<Peer> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return peerAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
}

const isUnreachable = { code: 'PEER_UNREACHABLE', message: /host-b/ }

t.test('an answer is believed only as its daemon gave it', async (t) => {
  const real = await serve(t)
  let kept: { header: string; body: Buffer } | undefined
  /** Passes the message on, and what `change` makes of the answer back. */
  const between = (change: (header: string, body: Buffer) => [string, Buffer]): RequestListener => {
    return async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const answer = await fetch(`${real.url}${request.url}`, {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream', [peerHeader]: String(request.headers[peerHeader]) },
        body: new Uint8Array(Buffer.concat(chunks)),
      })
      const [header, body] = change(answer.headers.get(peerHeader) ?? '', Buffer.from(await answer.arrayBuffer()))
      response.writeHead(200, { [peerHeader]: header }).end(body)
    }
  }
  const straight = await pretend(
    t,
    between((header, body) => {
      kept ??= { header, body }
      return [header, body]
    }),
  )
  t.same(await peersWith().call(straight, 'cancel', ask), { isRight: true }, 'a relay that changes nothing')
  const changes: Readonly<Record<string, (header: string, body: Buffer) => [string, Buffer]>> = {
    'without signature': (_, body) => ['', body],
    'another body': (header, body) => [header, Buffer.concat([body, Buffer.of(0)])],
    'an earlier answer': () => [kept?.header ?? '', kept?.body ?? Buffer.alloc(0)],
    'keys of another installation': (header) => {
      const nonce = readHead(header)?.nonce ?? ''
      const made = signMessage(others, { side: 'answer', from: 'dmn_b', path }, { isRight: true }, now, nonce)
      return [made.header, made.body]
    },
    'an answer of another daemon': (header) => {
      const nonce = readHead(header)?.nonce ?? ''
      const made = signMessage(keyring, { side: 'answer', from: 'dmn_c', path }, { isRight: true }, now, nonce)
      return [made.header, made.body]
    },
    'an answer of another form': (header) => {
      const nonce = readHead(header)?.nonce ?? ''
      const made = signMessage(keyring, { side: 'answer', from: 'dmn_b', path }, { isRight: 'yes' }, now, nonce)
      return [made.header, made.body]
    },
  }
  for (const [name, change] of Object.entries(changes))
    await t.rejects(peersWith().call(await pretend(t, between(change)), 'cancel', ask), isUnreachable, name)
})

t.test('the question itself is not an answer', async (t) => {
  const echo = await pretend(t, async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    response.writeHead(200, { [peerHeader]: String(request.headers[peerHeader]) }).end(Buffer.concat(chunks))
  })
  await t.rejects(peersWith().call(echo, 'cancel', ask), isUnreachable)
})

t.test('a redirect is not followed', async (t) => {
  const real = await serve(t)
  const redirecting = await pretend(t, (request, response) => {
    request.resume()
    response.writeHead(307, { location: `${real.url}${request.url}` }).end()
  })
  await t.rejects(peersWith().call(redirecting, 'cancel', ask), { ...isUnreachable, message: /307/ })
  t.same(real.asked, [])
})

t.test('one that hangs is given up, wherever it hangs', async (t) => {
  const impatient = peersWith(clock, 300)
  const hanging: Readonly<Record<string, RequestListener>> = {
    'before the answer': () => {},
    'in its head': (_, response) => void response.writeHead(200),
    'in its body': (_, response) => void response.writeHead(200, { [peerHeader]: 'v1' }).write('x'),
  }
  for (const [name, listener] of Object.entries(hanging))
    await t.rejects(impatient.call(await pretend(t, listener), 'cancel', ask), isUnreachable, name)
  const silent = createTcpServer(() => {}).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as AddressInfo
  await t.rejects(
    impatient.call(peerAt(`http://127.0.0.1:${port}`), 'cancel', ask),
    isUnreachable,
    'one that says nothing',
  )
  silent.close()
  await t.rejects(impatient.call(peerAt(`http://127.0.0.1:${port}`), 'cancel', ask), isUnreachable, 'one that is gone')
  await t.rejects(impatient.call(peerAt(null), 'cancel', ask), { ...isUnreachable, message: /server\.peer_url/ })
})

t.test('one that switches protocols gives no answer', async (t) => {
  const server = createTcpServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.write('HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  await t.rejects(peersWith().call(peerAt(url), 'mark', {}), { code: 'PEER_UNREACHABLE', message: /it gave no answer/ })
  const post = quickCall({ server: url, token: 'x' }, 'POST /api/v1/connect-tokens', { body: { resource: 'orders' } })
  await t.rejects(post, { message: /cannot|reach/ }, 'nor does a command wait for it')
})

t.test('an answer without end is not read to its end', async (t) => {
  let sent = 0
  const endless = await pretend(t, (_, response) => {
    const block = Buffer.alloc(64 * 1024)
    const more = () => {
      while (!response.destroyed && response.write(block)) sent += block.length
    }
    response.on('drain', more)
    more()
  })
  await t.rejects(peersWith().call(endless, 'cancel', ask), { ...isUnreachable, message: /longer than/ })
  t.ok(sent < 64 * 1024 * 1024, `${sent} bytes were sent`)
})

t.test('clocks that differ are noticed', async (t) => {
  const { url, asked } = await serve(t)
  const late = peersWith({ now: () => now - 6000 })
  await t.rejects(late.call(peerAt(url), 'cancel', ask), { ...isUnreachable, message: /status 401/ })
  t.same(asked, [])
})

t.test('nothing of a message can be read on its way', async (t) => {
  const { header, body } = signed()
  const text = `${header}${body.toString('latin1')}`
  for (const secret of ['aabb', '10.0.0.9', 'postgres']) t.notMatch(text, new RegExp(secret.replaceAll('.', '\\.')))
  const answer: PeerAnswer<'recording'> = { isThere: true, bytes }
  const sealed = signMessage(keyring, { side: 'answer', from: 'dmn_b', path }, answer, now)
  t.notMatch(sealed.body.toString('latin1'), /isThere/)
})
