/** What is recorded is on file within 100 ms: two rounds of the shared timer, or one for what still runs. */
import { mock } from 'node:test'
import t from 'tap'
import { type Flushable, RecordingBuffers } from '../../../src/recordings/recording-buffers.ts'

function start() {
  mock.timers.enable()
  t.teardown(() => mock.timers.reset())
  const lags: number[] = []
  const buffers = new RecordingBuffers({ recordingLagBytes: { set: (lag: number) => lags.push(lag) } } as never)
  const done: string[] = []
  const recording = (name: string, isUrgent: boolean, onDone = () => {}): Flushable => {
    const write = (how: string) => {
      done.push(`${name} ${how}`)
      onDone()
    }
    return {
      flushUrgent: () => {
        if (isUrgent) write('at once')
        return isUrgent
      },
      flush: () => write('later'),
    }
  }
  const pass = (ms: number) => {
    mock.timers.tick(ms)
    return done.splice(0)
  }
  return { buffers, lags, recording, pass, stop: () => mock.timers.reset() }
}

t.test('what runs is flushed in the first round, anything else in the second, each once', async (t) => {
  const { buffers, recording, pass, stop } = start()
  buffers.flushSoon(recording('a', false))
  buffers.flushSoon(recording('b', true))
  t.same(pass(39), [])
  t.same(pass(1), ['b at once'])
  buffers.flushSoon(recording('c', false))
  t.same(pass(40), ['a later'], '80 ms after it came')
  t.same(pass(40), ['c later'])
  t.same(pass(1000), [])
  stop()
})

t.test('one that asks again while it is flushed is flushed again, 80 ms later at most', async (t) => {
  const { buffers, recording, pass, stop } = start()
  let again = 2
  const one = recording('a', false, () => {
    if (again-- > 0) buffers.flushSoon(one)
  })
  buffers.flushSoon(one)
  const seen = Array.from({ length: 10 }, () => pass(40).length)
  t.equal(
    seen.reduce((sum, n) => sum + n, 0),
    3,
  )
  t.equal(seen.lastIndexOf(1) < 6, true, seen.join())
  stop()
})

t.test('the gauge says what is not on file, at the latest after a round, and 0 at once', async (t) => {
  const { buffers, lags, recording, pass, stop } = start()
  buffers.count(100)
  buffers.flushSoon(recording('a', false))
  pass(40)
  t.equal(lags.at(-1), 100)
  buffers.count(-100)
  t.equal(lags.at(-1), 0)
  stop()
})
