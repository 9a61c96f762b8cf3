import { createServer } from 'node:net'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { makePermit } from '../../../../proxy/permit.ts'
import { openUpstream, type Upstream } from '../../../../proxy/postgres/target/upstream.ts'
import { applicationName, upstreamParameters } from '../../../../proxy/postgres/target/upstream-parameters.ts'
import { direct } from '../../../../proxy/reach/direct.ts'
import { Trust } from '../../../../proxy/reach/trust.ts'
import { BrokerError, type PermitFields } from '../../../../proxy/session.ts'
import { createAuthority } from '../../../sandbox/certificates.ts'
import { quietFor } from '../../../wait-until.ts'
import { until } from '../engine-fixture.ts'
import { cstring, int32, message } from '../raw-client.ts'
import { fatal, type Script, signedIn, startTarget, type Target } from '../scripted-target.ts'

const secret = 'endpoint:5432/?Action=connect&X-Amz-Signature=5ec4e7'
const facts: Partial<PermitFields> = { kind: 'rds-postgres' }
const parameters = new Map([
  ['user', 'app_ro'],
  ['database', 'orders'],
])
const forever = new AbortController().signal

interface Route {
  readonly host: string
  readonly port: number
  readonly serverName: string
  readonly ca: string
  password(): Promise<string>
}

const routeTo = ({ port, serverName, ca }: Target, changes: Partial<Route> = {}): Route => ({
  host: '127.0.0.1',
  port,
  serverName,
  ca,
  password: async () => secret,
  ...changes,
})

const trust = new Trust()

async function open({ host, port, serverName, ca, password }: Route, signal = forever): Promise<Upstream> {
  const permit = makePermit({
    ...(facts as PermitFields),
    engine: { address: { host, port }, serverName, ca, rules: {} },
    signal: forever,
  })
  const lease = password().then((text) => ({ user: 'app_ro', secret: text, expiresAt: 0 }))
  lease.catch(() => {})
  const wire = await direct.open(permit, signal)
  const secureContext = trust.contextFor(ca)
  return await openUpstream(wire, { serverName, secureContext, parameters: () => parameters, lease, signal })
}

/** Everything that a client or the log could be shown. */
function everythingOf(error: unknown): string {
  const parts: string[] = []
  for (let at = error; at instanceof Error; at = at.cause)
    parts.push(at.message, at.stack ?? '', inspect(at, { depth: 6 }), at instanceof BrokerError ? (at.hint ?? '') : '')
  return parts.join('\n')
}

async function refusalOf(t: Test, route: Route, signal = forever): Promise<BrokerError> {
  try {
    const { stream } = await open(route, signal)
    stream.destroy()
  } catch (error) {
    t.notMatch(everythingOf(error), '5ec4e7', 'no secret')
    t.notMatch((error as Error).message, '127.0.0.1', 'no address for the client')
    return error as BrokerError
  }
  throw new Error('it was not refused')
}

t.test('a sign-in gives the greeting as it came, and the key', async (t) => {
  let startup: Buffer = Buffer.alloc(0)
  const passwords: string[] = []
  const target = await startTarget(t, {
    onPassword: (socket, password) => {
      passwords.push(password)
      socket.write(Buffer.concat([signedIn, message('A', int32(1), cstring('c'), cstring('p'))]))
    },
  })
  const { stream, greeting, pid, key, status, ahead } = await open(routeTo(target))
  t.same(passwords, [secret])
  t.equal(greeting.toString('latin1'), signedIn.subarray(9, signedIn.length - 19).toString('latin1'))
  t.match({ pid, key, status }, { pid: 4711, key: int32(1234), status: 'I' })
  const read = Buffer.concat([
    ahead,
    ...(ahead.length > 0 ? [] : [await new Promise<Buffer>((r) => stream.once('data', r))]),
  ])
  t.equal(read.toString('latin1', 0, 1), 'A', 'what comes behind the sign-in is not lost')
  stream.destroy()
  target.script = {
    onStartup: (tls, bytes) => {
      startup = bytes
      tls.end(fatal('53300', 'sorry, too many clients already'))
    },
  }
  t.match(await refusalOf(t, routeTo(target)), { code: 'TARGET_REFUSED', hint: /no free connection/ })
  t.equal(startup.toString('latin1', 8), 'user\0app_ro\0database\0orders\0\0')
  t.equal(startup.readInt32BE(4), 196608, 'protocol 3.0')
})

t.test('what is wrong is said by its code, and the token is in nothing', async (t) => {
  const cases: [name: string, script: Script, code: string, text: RegExp][] = [
    ['no TLS', { onSslRequest: (socket) => void socket.end('N') }, 'TARGET_UNTRUSTED', /does not offer TLS/],
    [
      'an error instead',
      { onSslRequest: (socket) => void socket.end(fatal('XX000', 'trust me')) },
      'TARGET_UNTRUSTED',
      /TLS/,
    ],
    ['bytes before TLS', { onSslRequest: (socket) => void socket.end('Sx') }, 'TARGET_UNTRUSTED', /unencrypted bytes/],
    ['closes at once', { onSslRequest: (socket) => void socket.destroy() }, 'TARGET_', /./],
    ['no TLS after all', { onSslRequest: (socket) => void socket.end('S') }, 'TARGET_', /./],
    [
      'MD5',
      { onStartup: (tls) => void tls.write(message('R', int32(5), Buffer.alloc(4))) },
      'TARGET_REFUSED',
      /requests a password/,
    ],
    [
      'SCRAM',
      { onStartup: (tls) => void tls.write(message('R', int32(10), cstring('SCRAM-SHA-256'), Buffer.from([0]))) },
      'TARGET_REFUSED',
      /requests a password/,
    ],
    [
      'a refused token',
      { onPassword: (tls) => void tls.end(fatal('28000', 'PAM authentication failed for user "app_ro"')) },
      'TARGET_REFUSED',
      /PAM authentication failed for user "app_ro" \(28000\)/,
    ],
    [
      'control characters',
      { onPassword: (tls) => void tls.end(fatal('28000', 'a\x1b[2Jb\u202Ec\nd')) },
      'TARGET_REFUSED',
      /refused the broker: a \[2Jb c d \(28000\)$/,
    ],
    [
      'no such database',
      { onPassword: (tls) => void tls.end(fatal('3D000', 'database "orders" does not exist')) },
      'DATABASE_DENIED',
      /database "orders" does not exist/,
    ],
    [
      'not this database',
      { onPassword: (tls) => void tls.end(fatal('42501', 'permission denied for database "orders"')) },
      'DATABASE_DENIED',
      /permission denied/,
    ],
    [
      'an error without a code',
      { onPassword: (tls) => void tls.end(message('E', Buffer.from('Mno\0\0'))) },
      'TARGET_REFUSED',
      /no SQLSTATE/,
    ],
    [
      'garbage',
      { onPassword: (tls) => void tls.end('HTTP/1.1 400 Bad Request\r\n\r\n') },
      'TARGET_LOST',
      /violated the protocol/,
    ],
    [
      'a length beyond all',
      { onPassword: (tls) => void tls.write(Buffer.from([0x53, 0x7f, 0xff, 0xff, 0xff])) },
      'TARGET_LOST',
      /violated the protocol: invalid length/,
    ],
    [
      'an unexpected message',
      { onPassword: (tls) => void tls.write(message('D', Buffer.alloc(2))) },
      'TARGET_LOST',
      /violated the protocol: an unexpected/,
    ],
    ['lost while signing in', { onPassword: (tls) => void tls.destroy() }, 'TARGET_', /./],
    [
      'a greeting without end',
      {
        onPassword: (tls) => {
          const more = () => {
            while (tls.write(message('S', cstring('x'.repeat(9000)), cstring('')))) if (tls.destroyed) return
          }
          tls.on('drain', more)
          more()
        },
      },
      'TARGET_LOST',
      /violated the protocol: .* before the sign-in completed/,
    ],
  ]
  const target = await startTarget(t)
  for (const [name, script, code, text] of cases) {
    target.script = script
    const error = await refusalOf(t, routeTo(target))
    t.match(error, { code: new RegExp(`^${code}`), message: text }, name)
  }
  await until(() => target.sockets.size === 0, 'every connection is closed')
})

t.test(
  'only a certificate of a trusted authority for this very name is believed, and no token is sent before',
  async (t) => {
    let heard = 0
    const hear = () => {
      heard += 1
    }
    const target = await startTarget(t, { onStartup: hear, onPassword: hear })
    for (const changes of [{ ca: createAuthority('another').cert }, { serverName: 'elsewhere.example.internal' }]) {
      const error = await refusalOf(t, routeTo(target, changes))
      t.match(error, { code: 'TARGET_UNTRUSTED', hint: /certificate/ })
    }
    t.equal(heard, 0)
  },
)

t.test('a target that is not there', async (t) => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  await new Promise((resolve) => server.close(resolve))
  const target = await startTarget(t)
  t.match(await refusalOf(t, routeTo(target, { port })), {
    code: 'TARGET_UNREACHABLE',
    message: /ECONNREFUSED/,
    hint: /security group/,
  })
  t.match(await refusalOf(t, routeTo(target, { host: 'nowhere.invalid' })), { code: 'TARGET_UNREACHABLE' })
})

t.test('a caller can give up at any point', async (t) => {
  const target = await startTarget(t)
  const never = new Promise<string>(() => {})
  const points: [string, Script, Partial<Route>][] = [
    ['before TLS', { onSslRequest: () => {} }, {}],
    ['in the handshake', { onSslRequest: (socket) => void socket.write('S') }, {}],
    ['before it asks', { onStartup: () => {} }, {}],
    ['while the token is made', {}, { password: () => never }],
    ['after the token', { onPassword: () => {} }, {}],
  ]
  for (const [name, script, changes] of points) {
    target.script = script
    const giveUp = new AbortController()
    const refusal = refusalOf(t, routeTo(target, changes), giveUp.signal)
    await quietFor(30, 'it has come to that point')
    giveUp.abort()
    t.match(await refusal, { code: 'TARGET_UNREACHABLE' }, name)
  }
  t.match(await refusalOf(t, routeTo(target), AbortSignal.abort()), { code: 'TARGET_UNREACHABLE' })
  await until(() => target.sockets.size === 0, 'every connection is closed')
})

t.test('a token that AWS refuses keeps its error', async (t) => {
  const target = await startTarget(t)
  const password = () => Promise.reject(new BrokerError('AWS_DENIED', 'sts:AssumeRole'))
  t.match(await refusalOf(t, routeTo(target, { password })), { code: 'AWS_DENIED' })
})

t.test('a cancel carries the target’s own key, inside TLS', async (t) => {
  const requests: Buffer[] = []
  const target = await startTarget(t, {
    onCancel: (tls, request) => {
      requests.push(request)
      tls.end()
    },
  })
  const upstream = await open(routeTo(target))
  await upstream.cancel()
  t.same(requests, [Buffer.concat([int32(16), int32(80877102), int32(4711), int32(1234)])])
  upstream.stream.destroy()
})

t.test('what goes upstream in the startup message', (t) => {
  const client = {
    parameters: new Map([
      ['DateStyle', 'ISO'],
      ['statement_timeout', '50'],
    ]),
  }
  const permit = { sessionId: 'ses_01', principalName: 'Zoë\n<z@example.com>' }
  const at = (statementTimeoutMs: number) =>
    Object.fromEntries(
      upstreamParameters(client, permit, { user: 'app_ro', database: 'orders' }, { statementTimeoutMs }),
    )
  t.same(at(100), {
    DateStyle: 'ISO',
    statement_timeout: '50',
    user: 'app_ro',
    database: 'orders',
    application_name: 'sallyport:ses_01:Zo??<z@example.com>',
  })
  t.equal(at(20).statement_timeout, '20', 'the level’s limit is the longest')
  t.equal(at(0).statement_timeout, '50')
  t.equal(applicationName('s'.repeat(40), 'p'.repeat(40)).length, 63)
  t.end()
})
