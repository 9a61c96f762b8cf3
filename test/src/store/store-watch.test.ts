import t from 'tap'
import { watchStore } from '../../../src/store/store-watch.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'

function start(ping: () => Promise<unknown>) {
  const state = { now: 0, lost: 0 }
  const watch = watchStore({
    ping,
    graceMs: 30_000,
    onLost: () => {
      state.lost += 1
    },
    logger: createLogger({ level: 'silent' }),
    elapsedMs: () => state.now,
    timeoutMs: 20,
  })
  return { state, watch }
}

t.test('a lost store is reported once, when the grace is over, and again after it was back', async (t) => {
  let isUp = true
  const { state, watch } = start(async () => {
    if (!isUp) throw new Error('disk I/O error')
  })
  await watch.look()
  t.ok(watch.isReachable)
  isUp = false
  await watch.look()
  t.notOk(watch.isReachable, 'at once')
  t.equal(state.lost, 0, 'not before the grace is over')
  for (const now of [29_999, 30_000, 31_000]) {
    state.now = now
    await watch.look()
    t.equal(state.lost, now < 30_000 ? 0 : 1, `at ${now} ms`)
  }
  isUp = true
  await watch.look()
  t.ok(watch.isReachable)
  isUp = false
  await watch.look()
  state.now = 70_000
  await watch.look()
  t.equal(state.lost, 2)
})

t.test('a store that does not answer counts as unreachable', async (t) => {
  const { watch } = start(() => new Promise(() => {}))
  await watch.look()
  t.notOk(watch.isReachable)
})
