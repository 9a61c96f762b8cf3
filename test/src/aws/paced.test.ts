import t from 'tap'
import { Paced, type PaceTime } from '../../../src/aws/paced.ts'

/** Time that passes only while it is waited for. */
function simulated(): PaceTime & { elapsed(): number } {
  let now = 0
  return {
    now: () => now,
    wait: async (ms, signal) => {
      signal.throwIfAborted()
      now += ms
    },
    elapsed: () => now,
  }
}

const { signal } = new AbortController()

t.test('a burst comes at once, and then the long run holds', async (t) => {
  const time = simulated()
  const paced = new Paced({ perSecond: 4, burst: 8, atOnce: 1 }, time)
  const began: number[] = []
  const call = async () => void began.push(time.now())
  for (let index = 0; index < 8; index += 1) await paced.run(signal, call)
  t.equal(time.elapsed(), 0)
  for (let index = 0; index < 40; index += 1) await paced.run(signal, call)
  t.equal(time.elapsed(), 10_000)
  t.same(began.slice(7, 11), [0, 250, 500, 750])
})

t.test('the bucket fills again in a rest, and no further than its burst', async (t) => {
  const time = simulated()
  const paced = new Paced({ perSecond: 10, burst: 5, atOnce: 1 }, time)
  const call = async () => {}
  for (let index = 0; index < 5; index += 1) await paced.run(signal, call)
  await time.wait(60_000, signal)
  const before = time.elapsed()
  for (let index = 0; index < 5; index += 1) await paced.run(signal, call)
  t.equal(time.elapsed(), before)
  await paced.run(signal, call)
  t.equal(time.elapsed(), before + 100)
})

t.test('no more are under way than may be, in their order, and a failure gives its place back', async (t) => {
  const paced = new Paced({ perSecond: 1000, burst: 1000, atOnce: 2 }, simulated())
  const gates = Array.from({ length: 5 }, () => Promise.withResolvers<void>())
  const began: number[] = []
  const runs = gates.map(({ promise }, index) =>
    paced.run(signal, async () => {
      began.push(index)
      await promise
    }),
  )
  await new Promise(setImmediate)
  t.same(began, [0, 1])
  gates[1]?.reject(new Error('no'))
  await t.rejects(runs[1] ?? Promise.resolve(), { message: 'no' })
  await new Promise(setImmediate)
  t.same(began, [0, 1, 2])
  for (const { resolve } of gates) resolve()
  await Promise.allSettled(runs)
  t.same(began, [0, 1, 2, 3, 4])
})

t.test('who is stopped while waiting makes no call, and the others go on', async (t) => {
  const paced = new Paced({ perSecond: 1000, burst: 1000, atOnce: 1 }, simulated())
  const gate = Promise.withResolvers<void>()
  const stop = new AbortController()
  const first = paced.run(signal, () => gate.promise)
  const second = paced.run(stop.signal, async () => t.fail('it was stopped'))
  const third = paced.run(signal, async () => 'third')
  stop.abort(new Error('stopped'))
  gate.resolve()
  await first
  await t.rejects(second, { message: 'stopped' })
  t.equal(await third, 'third')
})

t.test('what is more urgent goes before what waits', async (t) => {
  const paced = new Paced({ perSecond: 1000, burst: 1000, atOnce: 1 }, simulated())
  const gate = Promise.withResolvers<void>()
  const began: string[] = []
  const first = paced.run(signal, () => gate.promise)
  const runs = (
    [
      ['a', 0],
      ['b', 1],
      ['c', 2],
      ['d', 0],
      ['e', 2],
    ] as const
  ).map(([name, urgency]) => paced.run(signal, async () => void began.push(name), urgency))
  gate.resolve()
  await Promise.all([first, ...runs])
  t.same(began, ['c', 'e', 'b', 'a', 'd'])
})
