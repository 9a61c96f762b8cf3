/** Names are resolved by the machine's own resolver; none of them leaves the machine. */
import { type AddressInfo, createServer } from 'node:net'
import t from 'tap'
import { makePermit } from '../../../proxy/permit.ts'
import { direct, directBy } from '../../../proxy/reach/direct.ts'
import type { EndNotice, PermitFields, SessionPermit } from '../../../proxy/session.ts'

const never = new AbortController().signal

function permitFor(host: string, port = 80, signal = never): SessionPermit {
  const fields: Partial<PermitFields> = {
    kind: 'rds-postgres',
    signal,
    engine: { address: { host, port }, serverName: 'x', ca: null, rules: {} },
  }
  return makePermit(fields as PermitFields)
}

t.test('a name that leads to a metadata service is not connected to, however it is written', async (t) => {
  // To the resolver each of these is 169.254.169.254; none is an address that the catalog could know by its form.
  for (const name of ['169.254.43518', '0xa9fea9fe', '2852039166', '0251.0376.0251.0376'])
    await t.rejects(
      direct.open(permitFor(name), never),
      { code: 'TARGET_UNREACHABLE', message: /its host name resolves to a link-local address/ },
      name,
    )
})

t.test('nor is a link-local address itself', async (t) => {
  for (const host of ['169.254.169.254', '::ffff:169.254.169.254', 'fe80::1', 'fd00:ec2::254'])
    await t.rejects(direct.open(permitFor(host), never), { code: 'TARGET_UNREACHABLE', message: /link-local/ }, host)
})

t.test('a name that does not resolve', async (t) => {
  const open = direct.open(permitFor('nowhere.invalid'), never)
  await t.rejects(open, { code: 'TARGET_UNREACHABLE', message: /its host name does not resolve/ })
})

t.test('a forged permit opens nothing', async (t) => {
  const genuine = permitFor('127.0.0.1')
  for (const forged of [{ ...genuine }, structuredClone({ ...genuine, signal: null }), Object.create(genuine)])
    await t.rejects(direct.open(forged as SessionPermit, never), { code: 'INTERNAL', message: /no permit/ })
})

t.test('a permit that was cut opens nothing', async (t) => {
  const abort = new AbortController()
  const notice: EndNotice = { reason: 'grant-revoked', text: 'access was revoked', decidedAt: 0 }
  abort.abort(notice)
  const permit = permitFor('127.0.0.1', 80, abort.signal)
  await t.rejects(direct.open(permit, never), { code: 'INTERNAL', message: /access was revoked/ })
})

t.test('a name is looked up for each connection; a second one of a session stays at its address', async (t) => {
  const server = createServer((socket) => void socket.on('error', () => {}).resume())
  await new Promise<void>((resolve) => server.listen(0, resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const moved = ['127.0.0.2', '127.0.0.3']
  const asked: string[] = []
  const reach = directBy(async (host) => ({ address: moved[asked.push(host) - 1] ?? '' }))
  const first = await reach.open(permitFor('orders.example.internal', port), never)
  const second = await reach.open(permitFor('orders.example.internal', port), never)
  const again = await first.again(never)
  for (const stream of [first.stream, second.stream, again]) t.teardown(() => stream.destroy())
  t.match([first.address.host, second.address.host], [/127\.0\.0\.2/, /127\.0\.0\.3/])
  t.match(again, { remoteAddress: first.address.host })
  t.equal(asked.length, 2)
})
