import t from 'tap'
import { EndSchedule, endingText, stayHint } from '../../proxy/ending.ts'

const minute = 60_000

/** @returns what is left at each notice, as time passes in steps of a second */
function notices(schedule: EndSchedule, from: number, to: number): number[] {
  const told: number[] = []
  for (let now = from; now <= to; now += 1000) {
    const leftMs = schedule.take(now)
    if (leftMs !== undefined) told.push(leftMs)
  }
  return told
}

t.test('told five minutes and one minute before the end, once each', async (t) => {
  t.same(notices(new EndSchedule(60 * minute, 0), 0, 61 * minute), [5 * minute, minute])
  t.same(notices(new EndSchedule(5 * minute, 0), 0, 6 * minute), [minute], 'not at the start, where the end is known')
  t.same(notices(new EndSchedule(minute, 0), 0, 2 * minute), [])
})

t.test('an end that moves later is told of anew', async (t) => {
  const schedule = new EndSchedule(10 * minute, 0)
  t.same(notices(schedule, 0, 6 * minute), [5 * minute])
  schedule.moveTo(70 * minute, 6 * minute)
  t.same(notices(schedule, 6 * minute, 71 * minute), [5 * minute, minute])
})

t.test('an end that moves to be near is told of at once', async (t) => {
  const schedule = new EndSchedule(60 * minute, 0)
  schedule.moveTo(3 * minute, 0)
  t.same(notices(schedule, 0, 4 * minute), [3 * minute, minute])
  schedule.moveTo(2 * minute, 5 * minute)
  t.same(notices(schedule, 5 * minute, 6 * minute), [], 'one that has passed is not')
})

t.test('after a suspended machine only what is still true is said', async (t) => {
  const schedule = new EndSchedule(60 * minute, 0)
  t.equal(schedule.take(59.5 * minute), 0.5 * minute)
  t.same(notices(schedule, 59.5 * minute, 61 * minute), [])
})

t.test('texts', async (t) => {
  const endsAt = Date.UTC(2026, 10, 28, 8, 12)
  t.equal(endingText('this session', { endsAt, leftMs: 299_990 }), 'this session ends in 5 minutes, at 08:12 UTC')
  t.equal(endingText('access to shop', { endsAt, leftMs: minute }), 'access to shop ends in 1 minute, at 08:12 UTC')
  t.match(endingText('x', { endsAt, leftMs: 20_000 }), /ends in less than a minute/)
  t.match(stayHint({ grantId: null }), /allows no more time to one session; to go on, connect again$/)
  t.equal(stayHint({ grantId: 'grt_1' }), 'to stay connected, run: sallyport extend grt_1 --for 1h')
})
