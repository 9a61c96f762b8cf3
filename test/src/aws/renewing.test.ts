import t from 'tap'
import { Renewing } from '../../../src/aws/renewing.ts'

/** A value that lasts 1000 ms, renewed from 400 ms before its end, not handed out in its last 100 ms. */
function start({ random = 0, until }: { random?: number; until?: number } = {}) {
  const state = { now: 0, made: 0, fails: false, late: [] as unknown[] }
  const pending: (() => void)[] = []
  const cell = new Renewing({
    make: async () => {
      const n = ++state.made
      await new Promise<void>((resolve) => pending.push(resolve))
      if (state.fails) throw new Error(`no ${n}`)
      return { n, expiresAt: state.now + 1000 }
    },
    clock: { now: () => state.now },
    aheadMs: 400,
    ...(until === undefined ? {} : { until }),
    marginMs: 100,
    onLateRenewal: (error) => state.late.push(error),
    random: () => random,
  })
  const settle = async () => {
    for (const resolve of pending.splice(0)) resolve()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const get = async () => {
    const [got] = await Promise.all([cell.get(), settle()])
    return got
  }
  return { state, cell, get, settle }
}

t.test('made once for two hundred that ask at once', async (t) => {
  const { state, cell, settle } = start()
  const all = Promise.all(Array.from({ length: 200 }, () => cell.get()))
  await settle()
  t.same(new Set((await all).map(({ n }) => n)), new Set([1]))
  t.equal(state.made, 1)
})

t.test('renewed ahead, by one of those that ask, while the old one is still handed out', async (t) => {
  const { state, cell, get, settle } = start()
  await get()
  state.now = 599
  t.equal((await cell.get()).n, 1)
  t.equal(state.made, 1, 'not before its time')
  state.now = 600
  t.same(await Promise.all([cell.get(), cell.get()]).then((both) => both.map(({ n }) => n)), [1, 1], 'nobody waits')
  t.equal(state.made, 2)
  await settle()
  t.equal((await cell.get()).n, 2)
})

t.test('the time of renewal is spread, so that many don’t come together', async (t) => {
  const { state, cell, get } = start({ random: 1 })
  await get()
  state.now = 519
  await cell.get()
  t.equal(state.made, 1)
  state.now = 520
  await cell.get()
  t.equal(state.made, 2)
})

t.test('a value that lasts long enough is not renewed', async (t) => {
  const { state, cell, get } = start({ until: 1000 })
  await get()
  state.now = 899
  t.match(await cell.get(), { n: 1 })
  t.equal(state.made, 1)
})

t.test('nothing is handed out in the last stretch', async (t) => {
  const { state, get } = start()
  await get()
  state.now = 900
  t.equal((await get()).n, 2)
})

t.test(
  'a renewal that fails ahead is reported, and the old one serves on; after its end whoever asks is told',
  async (t) => {
    const { state, cell, get, settle } = start()
    await get()
    state.now = 700
    state.fails = true
    t.equal((await cell.get()).n, 1)
    await settle()
    t.match(state.late, [{ message: 'no 2' }])
    t.equal((await cell.get()).n, 1)
    await settle()
    state.now = 950
    await t.rejects(get(), /no 4/)
    state.fails = false
    t.equal((await get()).n, 5, 'a failure is not kept')
  },
)
