import t from 'tap'
import { BrokerError } from '../../../proxy/session.ts'
import { GrantWatch, type Watched } from '../../../src/cli/connect/grant-watch.ts'
import type { ListedResource } from '../../../src/cli/connect/target.ts'

const hour = 3_600_000
const endsAt = Date.now() + hour
const target: Watched = {
  id: 'rds-postgres/1/r/orders',
  name: 'orders',
  level: 'readonly',
  endsAt,
}

function listed(grants: ListedResource['grants']): ListedResource[] {
  return [{ id: target.id, protocol: 'postgres', name: 'orders', database: null, grants }]
}
const live = listed([{ id: 'grt_1', level: 'readonly', endsAt }])

/** A watch whose answers are given one after the other; an Error is thrown. */
function watchOf(...answers: (ListedResource[] | Error)[]) {
  const warnings: string[] = []
  const ended: string[] = []
  const stop = new AbortController()
  let loads = 0
  const watch = new GrantWatch({
    load: async () => {
      const answer = answers[Math.min(loads++, answers.length - 1)] ?? []
      if (answer instanceof Error) throw answer
      return answer
    },
    now: () => Date.now(),
    warn: (text) => warnings.push(text),
    pollMs: 1,
  })
  const run = (targets: readonly Watched[]) => watch.run(targets, stop.signal, ({ id }) => ended.push(id))
  return { watch, run, stop, warnings, ended, loads: () => loads }
}

t.test('a grant that the broker no longer lists has ended', async (t) => {
  const w = watchOf(live, [])
  t.equal(await w.run([target]), 'ended')
  t.same(w.ended, [target.id])
})

t.test('a grant at another level is not the same grant', async (t) => {
  const w = watchOf(listed([{ id: 'grt_2', level: 'admin', endsAt }]))
  t.equal(await w.run([target]), 'ended')
})

t.test('a poke looks at once, though the next look is far away', async (t) => {
  const w = watchOf([])
  const waiting = new GrantWatch({ load: async () => [], now: () => Date.now(), warn: () => {}, pollMs: hour })
  const run = waiting.run([target], w.stop.signal, () => {})
  waiting.poke()
  t.equal(await run, 'ended')
})

t.test('it stops when told to', async (t) => {
  const w = watchOf(live)
  const run = w.run([target])
  w.stop.abort()
  t.equal(await run, 'stopped')
  t.same(w.ended, [])
})

t.test('a grant that was extended goes on; the end seen last counts', async (t) => {
  const extended = listed([{ id: 'grt_1', level: 'readonly', endsAt: Date.now() + hour }])
  const w = watchOf(extended, [])
  t.equal(await w.run([{ ...target, endsAt: Date.now() - 1 }]), 'ended')
  t.equal(w.loads(), 2)
})

t.test('an unreachable broker is told once, and ends nothing before its time', async (t) => {
  const down = new BrokerError('STORE_UNAVAILABLE')
  const w = watchOf(down, down, live, down, [])
  t.equal(await w.run([target]), 'ended')
  t.equal(w.warnings.length, 2, 'once for each outage')
  t.match(w.warnings[0], /cannot check the grants right now: the store cannot be reached/)
})

t.test('an unreachable broker does not keep a grant alive after its end', async (t) => {
  const w = watchOf(new BrokerError('STORE_UNAVAILABLE'))
  t.equal(await w.run([{ ...target, endsAt: Date.now() - 1 }]), 'ended')
})

t.test('the end of the sign-in is an error of its own', async (t) => {
  await t.rejects(watchOf(new BrokerError('LOGIN_REQUIRED')).run([target]), { code: 'LOGIN_REQUIRED' })
  await t.rejects(watchOf(new BrokerError('PRINCIPAL_LOCKED')).run([target]), { code: 'PRINCIPAL_LOCKED' })
})

t.test('what is about to end is told by what the broker says of it, once for each notice', async (t) => {
  const minute = 60_000
  const start = 1_800_000_000_000
  let now = start
  const told: [string | null, number][] = []
  const stop = new AbortController()
  const ends = [10, 10, 9, 9, 70, 70, 70].map((minutes) => start + minutes * minute)
  let loads = 0
  const watch = new GrantWatch({
    load: async () => {
      const at = ends[loads]
      now += ([0, 5, 0, 1, 0, 60, 3.1][loads] as number) * minute
      loads += 1
      if (at === undefined) {
        stop.abort()
        return []
      }
      return listed([
        { id: 'grt_0', level: 'readonly', endsAt: at - minute },
        { id: 'grt_1', level: 'readonly', endsAt: at },
        { id: 'grt_2', level: 'admin', endsAt: at + minute },
      ])
    },
    now: () => now,
    warn: () => {},
    onEnding: (_, { grantId, leftMs }) => void told.push([grantId, leftMs / minute]),
    pollMs: 1,
  })
  await watch.run([{ ...target, endsAt: ends[0] ?? 0 }], stop.signal, () => {})
  t.same(
    told.map(([id, left]) => [id, Math.round(left * 10) / 10]),
    [
      ['grt_1', 5],
      ['grt_1', 4],
      ['grt_1', 4],
      ['grt_1', 0.9],
    ],
  )
})
