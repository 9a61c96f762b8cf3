import t from 'tap'
import type { AccessRequest } from '../../src/access/requests/request.ts'
import type { StoredGrant } from '../../src/access/rows/rows.ts'
import { type Figures as Appends, rowsOf as appendRows } from './audit.ts'
import { pastEvents, pastGrants } from './filled-store.ts'
import { residentIn } from './memory.ts'
import { toRows as cpuRows } from './mysql/beside-postgres.ts'
import { percentile } from './rows.ts'
import { type Figures as Start, type Subject, rowsOf as startRows } from './start.ts'

t.test('a percentile is one of the values, and NaN without any', async (t) => {
  const values = Array.from({ length: 200 }, (_, i) => 200 - i)
  t.equal(percentile(values, 0.99), 198)
  t.equal(percentile(values, 0.5), 100)
  t.equal(percentile([7], 0.99), 7)
  t.equal(percentile([3, 4], 0), 3)
  t.ok(Number.isNaN(percentile([], 0.99)))
})

t.test('memory is read from what the kernel says', async (t) => {
  t.equal(residentIn('Name:\tnode\nVmHWM:\t  409600 kB\nVmRSS:\t  204800 kB\n'), 200)
  t.ok(Number.isNaN(residentIn('Name:\tnode\n')))
})

const appends = (p50: number, p99: number): Appends => ({ perSecond: 1000 / p50, p50, p99, loop: p50 })

t.test('audit: an append at its worst is compared with an fsync at its worst, round by round', async (t) => {
  const subjects = [{ name: 'one fsync' }, { name: 'SQLite', fsync: 'one fsync' }, { name: 'slow', fsync: 'one fsync' }]
  const results = new Map([
    ['one fsync', [appends(1, 10), appends(1, 2), appends(1, 3)]],
    ['SQLite', [appends(3, 60), appends(3, 12), appends(3, 3)]],
    ['slow', [appends(3, 61), appends(3, 13), appends(3, 30)]],
  ])
  const worst = appendRows(subjects, results).filter(({ case: name }) => name.endsWith('one append, p99'))
  t.match(worst, [
    { case: 'SQLite: one append, p99', value: 12, peer: 'one fsync', ratio: 6, budget: 6, ok: true },
    { case: 'slow: one append, p99', value: 30, ratio: 6.5, budget: 6, ok: false },
  ])
})

t.test('audit: without a figure of the fsync the budget is not kept', async (t) => {
  const rows = appendRows([{ name: 'SQLite', fsync: 'one fsync' }], new Map([['SQLite', [appends(1, 1)]]]))
  t.same(
    rows.filter(({ budget }) => budget !== undefined).map(({ ok }) => ok),
    [false],
  )
})

t.test('mysql: the broker’s ratio to its relay is compared with PostgreSQL’s, round by round', async (t) => {
  const one = { name: 'CPU', unit: 'µs', better: 'less' as const }
  const results = new Map([
    ['bare Node relay', [10, 20, 10]],
    ['broker', [12, 24, 30]],
    ['PostgreSQL: bare Node relay', [10, 10, 10]],
    ['PostgreSQL: broker', [12, 15, 14]],
  ])
  const compared = cpuRows(one, results).at(-1)
  t.match(compared, { case: 'CPU: broker ÷ bare Node relay', value: 1.2, peer: 'PostgreSQL’s', budget: 1, ok: true })
  t.equal(compared?.ratio, 1)
  const dearer = new Map([...results, ['broker', [13, 31, 30]]])
  t.match(cpuRows(one, dearer).at(-1), { ok: false })
  const without = new Map([...results].filter(([name]) => name !== 'PostgreSQL: broker'))
  t.match(cpuRows(one, without).at(-1), { ok: false }, 'without a figure of PostgreSQL the budget is not kept')
})

const start = (ready: number): Start => ({ ready, cpu: ready, memory: 100 * ready, verify: 10 * ready })
const stores: readonly Subject[] = [
  { name: 'empty store', store: 'empty', checkout: 'ours' },
  { name: 'empty store, at abc', store: 'empty', checkout: 'before' },
  { name: 'SQLite', store: 'SQLite', checkout: 'ours' },
  { name: 'SQLite, at abc', store: 'SQLite', checkout: 'before' },
  { name: 'PostgreSQL', store: 'PostgreSQL', checkout: 'ours' },
]
const starts = new Map([
  ['empty store', [start(1)]],
  ['empty store, at abc', [start(2)]],
  ['SQLite', [start(2)]],
  ['SQLite, at abc', [start(4)]],
  ['PostgreSQL', [start(4)]],
])
const startsOf = (figure: string) =>
  startRows(stores, starts)
    .filter(({ case: name }) => name.endsWith(`: ${figure}`))
    .map(({ case: name, value, peer, ratio, budget, ok }) => [name.split(':')[0], value, peer, ratio, budget, ok])

t.test('start: each store is compared with the empty one, and with the commit before on the same store', async (t) => {
  t.same(startsOf('time to ready'), [
    ['empty store', 1, undefined, undefined, undefined, undefined],
    ['empty store, at abc', 2, undefined, undefined, undefined, undefined],
    ['SQLite', 2, 'empty store', 2, undefined, undefined],
    ['SQLite', 2, 'SQLite, at abc', 0.5, undefined, undefined],
    ['SQLite, at abc', 4, undefined, undefined, undefined, undefined],
    ['PostgreSQL', 4, 'empty store', 4, undefined, undefined],
  ])
  t.match(
    startsOf('audit verify').filter(([name]) => name === 'SQLite'),
    [
      ['SQLite', 20, 'empty store', 2, undefined],
      ['SQLite', 20, 'SQLite, at abc', 0.5, 0.5, true],
    ],
  )
})

t.test('start: what the store adds is beyond an empty one of the same checkout', async (t) => {
  t.same(startsOf('what the store adds to it'), [
    ['SQLite', 1, 'SQLite, at abc', 0.5, 0.5, true],
    ['SQLite, at abc', 2, undefined, undefined, undefined, undefined],
    ['PostgreSQL', 3, undefined, undefined, undefined, undefined],
  ])
})

t.test('start: no budget is kept without the figures of the commit before', async (t) => {
  const rows = startRows(stores, new Map([...starts, ['SQLite, at abc', []]]))
  const gated = rows.filter(({ budget }) => budget !== undefined)
  t.same(
    gated.map(({ ok }) => ok),
    [false, false],
  )
  t.ok(gated.every(({ case: name }) => /what the store adds|audit verify/.test(name)))
})

const now = Date.UTC(2026, 0, 5)
const pattern = {
  grant: { resourceId: 'rds-postgres/1/eu/orders', ruleName: 'r', state: 'active', version: 1 } as StoredGrant,
  request: { durationMs: 8 * 3_600_000 } as AccessRequest,
}

t.test('start: one grant in ten is live, and the others are over in every way', async (t) => {
  const { principals, past } = pastGrants({ people: 20, grants: 100 }, pattern, now)
  t.equal(new Set(principals).size, 20)
  t.equal(new Set(past.map(({ grant }) => grant.id)).size, 100)
  const live = past.filter(({ grant }) => grant.state === 'active')
  t.equal(live.length, 10)
  t.ok(live.every(({ grant }) => grant.startsAt <= now && now < grant.endsAt && grant.version === 1))
  t.same(new Set(past.map(({ grant }) => grant.state)), new Set(['active', 'expired', 'revoked', 'returned']))
  t.ok(past.every(({ grant }) => grant.state === 'active' || (grant.endedAt ?? now) < now))
})

t.test('start: as many events as asked for, oldest first, and what they tell of is there', async (t) => {
  const { past } = pastGrants({ people: 20, grants: 100 }, pattern, now)
  const events = pastEvents(past, 1000)
  t.equal(events.length, 1000)
  t.same(
    events.map(({ at }) => at),
    events.map(({ at }) => at).sort((a, b) => a - b),
  )
  const of = (type: string) => events.filter(({ event }) => event.type === type)
  t.equal(of('grant.created').length, 100)
  t.equal([...of('grant.expired'), ...of('grant.revoked'), ...of('grant.returned')].length, 90)
  const sessions = new Set(past.map(({ session }) => session.id))
  t.same(new Set(of('session.started').map(({ event }) => event.fields.session)), sessions)
  t.same(new Set(of('session.ended').map(({ event }) => event.fields.session)), sessions)
  t.throws(() => pastEvents(past, 700), /100 grants make 790 events/)
})
