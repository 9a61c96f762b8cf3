import t from 'tap'
import { createOnce } from '../../../../src/identity/sign-in/one-time-secrets.ts'

function house() {
  const clock = { at: 0, now: () => clock.at }
  return { clock, once: createOnce<string>({ clock, ttlMs: 1000, most: 4, mostPerAddress: 2 }) }
}

t.test('a thing is taken once', async (t) => {
  const { once } = house()
  const secret = once.put('a', '1.1.1.1')
  t.match(secret, /^[A-Za-z0-9_-]{43}$/)
  t.equal(once.peek(secret), 'a')
  t.equal(once.take(secret), 'a')
  t.equal(once.take(secret), undefined)
  t.equal(once.size, 0)
})

t.test('it waits until its time, and not at that instant', async (t) => {
  const { once, clock } = house()
  const secret = once.put('a', '1.1.1.1')
  clock.at = 999
  t.equal(once.peek(secret), 'a')
  clock.at = 1000
  t.equal(once.peek(secret), undefined)
  t.equal(once.size, 0)
})

t.test('few wait, and fewer of one address; what is taken or expired makes room', async (t) => {
  const { once, clock } = house()
  const first = once.put('a', '1.1.1.1')
  once.put('b', '1.1.1.1')
  t.throws(() => once.put('c', '1.1.1.1'), { code: 'RATE_LIMITED' })
  once.put('c', '2.2.2.2')
  once.put('d', '3.3.3.3')
  t.throws(() => once.put('e', '4.4.4.4'), { code: 'RATE_LIMITED' })
  once.take(first)
  once.put('e', '1.1.1.1')
  clock.at = 1000
  once.put('f', '1.1.1.1')
  once.put('g', '1.1.1.1')
  t.equal(once.size, 2)
})

t.test('a /64 of IPv6 counts as one address, however it is written', async (t) => {
  const { once } = house()
  once.put('a', '2001:db8::1')
  once.put('b', '2001:db8:0:0:ffff::2')
  t.throws(() => once.put('c', '2001:db8:0:0:1:2:3:4'), { code: 'RATE_LIMITED' })
  once.put('d', '2001:db8:0:1::1')
  once.put('e', '::1')
})
