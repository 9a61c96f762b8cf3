/** Names are resolved by the machine's own resolver; none of them leaves the machine. */
import t from 'tap'
import { makePermit } from '../../../proxy/permit.ts'
import { direct } from '../../../proxy/reach/direct.ts'
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
