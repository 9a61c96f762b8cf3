/** Who may: one decision has one reason, in whatever order its parts arrive; and kinds that a trust cannot serve are refused. */
import t from 'tap'
import type { EndNotice } from '../../proxy/session.ts'
import { checkTrust } from '../../src/kinds/rds/target.ts'
import { ask, start, startSessions } from '../src/sessions/sessions-setup.ts'

const hour = 3_600_000
const why = { text: 'because', decidedAt: start + hour } as const

t.test('D9: the grant runs out: the reason is the grant, also when its token or login is heard of first', async (t) => {
  for (const [what, reason] of [
    ['token', 'token-revoked'],
    ['login', 'login-ended'],
  ] as const) {
    const { host, changes, advance } = await startSessions(t)
    const permit = await host.open(ask)
    advance(hour)
    changes.publish({ what, id: 'lgn_1', reason, ...why })
    changes.publish({ what: 'grant', id: 'grt_1', reason: 'grant-expired', ...why })
    t.match(permit.signal.reason as EndNotice, { reason: 'grant-expired', text: /the grant expired at/ }, what)
  }
})

t.test('D9: before its end a token that is revoked keeps its reason, and the first decision stands', async (t) => {
  for (const [first, second] of [
    ['token-revoked', 'grant-expired'],
    ['grant-revoked', 'token-revoked'],
    ['principal-locked', 'login-ended'],
  ] as const) {
    const { host, changes } = await startSessions(t)
    const permit = await host.open(ask)
    const whatOf = (reason: typeof first | typeof second) =>
      reason.startsWith('grant')
        ? ({ what: 'grant', id: 'grt_1' } as const)
        : reason.startsWith('principal')
          ? ({ what: 'principal', id: 'prn_1' } as const)
          : ({ what: 'token', id: 'lgn_1' } as const)
    for (const reason of [first, second]) changes.publish({ ...whatOf(reason), reason, ...why })
    t.equal((permit.signal.reason as EndNotice).reason, first)
  }
})

t.test('D9: a lock after the end is a lock', async (t) => {
  const { host, changes, advance } = await startSessions(t)
  const permit = await host.open(ask)
  advance(hour)
  changes.publish({ what: 'principal', id: 'prn_1', reason: 'principal-locked', ...why })
  t.equal((permit.signal.reason as EndNotice).reason, 'principal-locked')
})

t.test(
  'D8: databases in an account that trusts people’s own tokens are refused where the configuration is checked',
  async (t) => {
    const target = { account: '111122223333' } as Parameters<typeof checkTrust>[0]
    const config = (trust: string) =>
      ({ aws: { accounts: { '111122223333': { trust } } } }) as unknown as Parameters<typeof checkTrust>[1]
    t.match(checkTrust(target, config('web_identity')), [{ message: /web_identity/, fix: /\w/ }])
    t.same(checkTrust(target, config('hub')), [])
  },
)
