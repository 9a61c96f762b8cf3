import t from 'tap'
import { WrongKeys } from '../../../src/sessions/wrong-keys.ts'

t.test('an address that shows ten wrong keys is not listened to for a minute, nor is its /64', async (t) => {
  let now = 0
  const keys = new WrongKeys({ clock: { now: () => now } })
  for (const [guesser, neighbour, other] of [
    ['192.0.2.1', '192.0.2.1', '192.0.2.2'],
    ['2001:db8::1', '2001:db8::ffff', '2001:db8:0:1::1'],
  ] as const) {
    for (let i = 0; i < 9; i += 1) keys.count(guesser)
    t.equal(keys.isBlocked(guesser), false, 'nine are forgiven')
    keys.count(guesser)
    t.equal(keys.isBlocked(neighbour), true)
    t.equal(keys.isBlocked(other), false)
    now += 60_000
    t.equal(keys.isBlocked(guesser), false, 'forgotten after a minute')
  }
})
