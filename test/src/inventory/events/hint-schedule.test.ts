import t from 'tap'
import { BrokerError } from '../../../../proxy/session.ts'
import type { EventHint } from '../../../../src/aws/events/event-table.ts'
import type { PaceTime } from '../../../../src/aws/paced.ts'
import { type HintOutcome, HintSchedule } from '../../../../src/inventory/events/hint-schedule.ts'

const { signal } = new AbortController()
const place = { discovery: 'iam-role', account: '222222222222', region: null }
const role = (name: string): EventHint => ({ ...place, resourceId: `iam-role/222222222222/${name}` })
const organization = { discovery: 'organization', account: '111111111111', region: null }

/** Time that passes only when the test says so. */
function simulated(): PaceTime & { pass(ms: number): Promise<void> } {
  let now = 0
  let waits: { at: number; resolve(): void }[] = []
  const settle = async () => {
    for (let turn = 0; turn < 50; turn += 1) await Promise.resolve()
  }
  return {
    now: () => now,
    wait: (ms) => new Promise((resolve) => waits.push({ at: now + ms, resolve })),
    pass: async (ms) => {
      const until = now + ms
      await settle()
      for (;;) {
        const next = waits.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0]
        if (!next) break
        waits = waits.filter((one) => one !== next)
        now = Math.max(now, next.at)
        next.resolve()
        await settle()
      }
      now = until
      await settle()
    },
  }
}

function started(read: (hint: EventHint) => Promise<HintOutcome> = async () => 'read') {
  const time = simulated()
  const reads: { at: number; what: string }[] = []
  const schedule = new HintSchedule({
    time,
    signal,
    read: (hint) => {
      reads.push({ at: time.now(), what: hint.resourceId?.split('/').at(-1) ?? `all ${hint.discovery}` })
      return read(hint)
    },
  })
  return { time, reads, schedule }
}

t.test('AWS is given two seconds from the event on, and hints of one thing join', async (t) => {
  const { time, reads, schedule } = started()
  const first = schedule.submit(role('App'), 500)
  await time.pass(1000)
  const second = schedule.submit(role('App'), 0)
  await time.pass(1999)
  t.same(reads, [])
  await time.pass(1)
  t.same(reads, [{ at: 3000, what: 'App' }])
  t.same(await Promise.all([first, second]), ['read', 'read'])
  void schedule.submit(role('Old'), 60_000)
  await time.pass(0)
  t.equal(reads.length, 2, 'what is old is read at once')
  t.equal(schedule.waiting, 0)
})

t.test('hints that go on coming put a reading off by four seconds at most', async (t) => {
  const { time, reads, schedule } = started()
  for (let second = 0; second < 10; second += 1) {
    void schedule.submit(role('App'), -1_000_000)
    await time.pass(1000)
  }
  t.same(
    reads.map(({ at }) => at),
    [4000, 8000],
  )
})

t.test('a hint that comes while its reading is under way is read again after it', async (t) => {
  const held = Promise.withResolvers<HintOutcome>()
  let count = 0
  const { time, reads, schedule } = started(() => {
    count += 1
    return count === 1 ? held.promise : Promise.resolve('read')
  })
  const first = schedule.submit(role('App'), 5000)
  await time.pass(0)
  const second = schedule.submit(role('App'), 5000)
  await time.pass(0)
  t.equal(reads.length, 2)
  held.resolve('read')
  t.same(await Promise.all([first, second]), ['read', 'read'])
})

t.test(
  'a flood of names costs a few readings by themselves, and then all of the unit a quarter of the time',
  async (t) => {
    const { time, reads, schedule } = started()
    const hour = 3600
    let refused = 0
    for (let second = 0; second < hour; second += 1) {
      for (let index = 0; index < 10; index += 1)
        schedule.submit(role(`${second}-${index}`), 60_000).catch(() => {
          refused += 1
        })
      await time.pass(1000)
    }
    const whole = reads.filter(({ what }) => what === 'all iam-role').length
    const single = reads.length - whole
    t.ok(whole > hour / 12 && whole <= hour / 10 + 1, `${whole} readings of the unit`)
    t.ok(single <= 20 + 2 * hour, `${single} of single resources`)
    t.ok(schedule.waiting < 5000)
    t.equal(refused, 0)
  },
)

t.test('a reading of all that takes long rests three times as long, and never runs twice at once', async (t) => {
  let running = 0
  const { time, reads, schedule } = started(async () => {
    running += 1
    t.equal(running, 1)
    await time.wait(60_000, signal)
    running -= 1
    return 'read'
  })
  for (let minute = 0; minute < 60; minute += 1) {
    void schedule.submit(organization, 60_000)
    await time.pass(60_000)
  }
  t.ok(reads.length <= 16 && reads.length >= 14, `${reads.length} in an hour`)
})

t.test('one account cannot keep another waiting', async (t) => {
  const { time, reads, schedule } = started()
  for (let index = 0; index < 4000; index += 1) void schedule.submit(role(`x${index}`), 0)
  const other = { ...place, account: '333333333333', resourceId: 'iam-role/333333333333/App' }
  void schedule.submit(other, 0)
  await time.pass(2000)
  t.ok(reads.some(({ what }) => what === 'App'))
})

t.test('too many at once are refused, and may come again', async (t) => {
  const { time, schedule } = started()
  const hint = (index: number) => ({ ...place, account: String(200_000_000_000 + index) })
  for (let index = 0; index < 5000; index += 1) void schedule.submit(hint(index), 0)
  t.ok(schedule.isFull)
  await t.rejects(schedule.submit(hint(5000), 0), { code: 'RATE_LIMITED' })
  await time.pass(5000)
  t.equal(schedule.waiting, 0)
  t.equal(await schedule.submit(hint(5000), 60_000), 'read')
  for (let index = 5001; index < 12_000; index += 1) await schedule.submit(hint(index), 60_000)
  t.ok(schedule.units <= 5001, 'units that strangers name are forgotten')
})

t.test('a failure is told to all who wait, and the next hint is read anew', async (t) => {
  let count = 0
  const { time, schedule } = started(async () => {
    count += 1
    if (count === 1) throw new BrokerError('AWS_UNAVAILABLE', 'as the test says')
    return 'unknown'
  })
  const both = Promise.allSettled([schedule.submit(role('App'), 0), schedule.submit(role('App'), 0)])
  await time.pass(4000)
  t.match(await both, [
    { status: 'rejected', reason: { code: 'AWS_UNAVAILABLE' } },
    { status: 'rejected', reason: { code: 'AWS_UNAVAILABLE' } },
  ])
  t.equal(await schedule.submit(role('App'), 60_000), 'unknown')
})
