/** The schedule against a model of what it promises, on a clock that only the test moves. */
import t from 'tap'
import type { Discovery } from '../../../../src/inventory/discovery.ts'
import { Schedule, type Work } from '../../../../src/inventory/engine/schedule.ts'
import { neverRead, recordAfter, type Unit, unitName } from '../../../../src/inventory/engine/unit.ts'
import fc from '../../../fast-check.ts'

const every = 900_000
const iam: Discovery = {
  name: 'iam-role',
  per: 'account',
  service: 'iam',
  read: async () => [],
  readOne: async () => null,
}
const rds: Discovery = { name: 'rds', per: 'region', service: 'rds', read: async () => [] }
/** Readings at once of one service in one account. */
const room = { iam: 1, rds: 2 } as const

function unit(discovery: Discovery, account: string, region: string | null): Unit {
  const place = { partition: 'aws', account, region }
  return { name: unitName(discovery, place), discovery, place, record: neverRead }
}

const all = () =>
  ['111122223333', '222233334444'].flatMap((account) => [
    unit(iam, account, null),
    ...['a', 'b', 'c', 'd'].map((region) => unit(rds, account, region)),
  ])
const names = all().map(({ name }) => name)
const name = fc.constantFrom(...names)
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ what: fc.constant('take' as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      what: fc.constant('done' as const),
      which: fc.nat(),
      outcome: fc.constantFrom('ok', 'empty', 'denied', 'error'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant('hint' as const),
      name,
      resource: fc.constantFrom(undefined, 'r1', 'r2'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('ask' as const), name }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: every }) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('drop' as const), name }) },
)

t.test('whatever happens, in any order', async (t) => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 50, maxLength: 400 }), (steps) => {
      const schedule = new Schedule(every)
      for (const one of all()) schedule.add(one)
      const running: Work[] = []
      const hinted = new Set<number>()
      let [now, hints] = [1_764_000_000_000, 0]
      const take = () => {
        const work = schedule.next(now)
        if (!work) return false
        const { name: of, discovery, place } = work.unit
        if (running.some((other) => other.unit.name === of)) throw new Error(`${of} is read twice at once`)
        running.push(work)
        const beside = running.filter(
          (other) => other.unit.discovery === discovery && other.unit.place.account === place.account,
        )
        if (beside.length > room[discovery.service as keyof typeof room]) throw new Error(`too many of ${of}`)
        return true
      }
      const finish = (which: number, outcome: string) => {
        const [work] = running.splice(which % running.length, 1)
        if (!work) return
        const { unit: of, waiters, resources } = work
        const failed = { error: 'no', fix: 'none' }
        const reading =
          outcome === 'ok' || outcome === 'empty'
            ? ({ outcome: 'ok', found: outcome === 'ok' ? 1 : 0 } as const)
            : ({ outcome: outcome as 'denied' | 'error', ...failed } as const)
        schedule.done(work, resources ? of.record : recordAfter(of.record, reading, now))
        for (const waiter of waiters) waiter.resolve()
      }
      for (const one of steps) {
        if (one.what === 'take') take()
        else if (one.what === 'done') {
          if (running.length > 0) finish(one.which, one.outcome)
        } else if (one.what === 'ask') schedule.ask(one.name, now)
        else if (one.what === 'pass') now += one.ms
        else if (one.what === 'drop') schedule.remove(one.name, new Error('gone'))
        else {
          const id = hints++
          hinted.add(id)
          const told = () => {
            if (!hinted.delete(id)) throw new Error('told twice')
          }
          if (!schedule.mark(one.name, one.resource, { resolve: told, reject: told })) told()
        }
      }
      // Left alone, it comes to rest, and everyone was told.
      for (let i = 0; i < 500 && (take() || running.length > 0); i += 1) if (!take()) finish(0, 'ok')
      if (running.length > 0 || take()) throw new Error('it does not come to rest')
      if (hinted.size > 0) throw new Error(`${hinted.size} hints were never answered`)
      // All that is there is read again within a day and a half.
      now += 1.5 * 86_400_000
      const seen = new Set<string>()
      for (let i = 0; i < 500 && (take() || running.length > 0); i += 1) {
        for (const { unit: of } of running) seen.add(of.name)
        finish(0, 'ok')
      }
      for (const { name: of } of schedule.units) if (!seen.has(of)) throw new Error(`${of} is not read any more`)
    }),
    { numRuns: 200 },
  )
  t.pass()
})

t.test('what changed comes first, but for one of the others after eight', async (t) => {
  const schedule = new Schedule(every)
  const many = Array.from({ length: 20 }, (_, i) => unit(iam, String(100_000_000_000 + i), null))
  const now = 1_764_000_000_000
  for (const one of many)
    schedule.add({ ...one, record: recordAfter(neverRead, { outcome: 'ok', found: 1 }, now - 10 * every) })
  const marked = many.slice(0, 16).map((one) => one.name)
  for (const of of marked) schedule.mark(of)
  const order = Array.from({ length: 20 }, () => schedule.next(now)?.unit.name ?? '')
  t.equal(new Set(order).size, 20)
  t.same(
    order.slice(0, 18).map((of) => marked.includes(of)),
    [...Array(8).fill(true), false, ...Array(8).fill(true), false],
  )
})
