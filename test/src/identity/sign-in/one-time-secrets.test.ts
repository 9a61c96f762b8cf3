import t from 'tap'
import { createOneTimeSecrets } from '../../../../src/identity/sign-in/one-time-secrets.ts'

function setup() {
  const clock = { at: 0, now: () => clock.at }
  return { clock, secrets: createOneTimeSecrets<string>({ clock, ttlMs: 1000, most: 4, mostPerAddress: 2 }) }
}

t.test('a thing is taken once', async (t) => {
  const { secrets } = setup()
  const secret = secrets.put('a', '1.1.1.1')
  t.match(secret, /^[A-Za-z0-9_-]{43}$/)
  t.equal(secrets.peek(secret), 'a')
  t.equal(secrets.take(secret), 'a')
  t.equal(secrets.take(secret), undefined)
  t.equal(secrets.size, 0)
})

t.test('it waits until its time, and not at that instant', async (t) => {
  const { secrets, clock } = setup()
  const secret = secrets.put('a', '1.1.1.1')
  clock.at = 999
  t.equal(secrets.peek(secret), 'a')
  clock.at = 1000
  t.equal(secrets.peek(secret), undefined)
  t.equal(secrets.size, 0)
})

t.test('few wait, and fewer of one address; what is taken or expired makes room', async (t) => {
  const { secrets, clock } = setup()
  const first = secrets.put('a', '1.1.1.1')
  secrets.put('b', '1.1.1.1')
  t.throws(() => secrets.put('c', '1.1.1.1'), { code: 'RATE_LIMITED' })
  secrets.put('c', '2.2.2.2')
  secrets.put('d', '3.3.3.3')
  t.throws(() => secrets.put('e', '4.4.4.4'), { code: 'RATE_LIMITED' })
  secrets.take(first)
  secrets.put('e', '1.1.1.1')
  clock.at = 1000
  secrets.put('f', '1.1.1.1')
  secrets.put('g', '1.1.1.1')
  t.equal(secrets.size, 2)
})

t.test('a /64 of IPv6 counts as one address, however it is written', async (t) => {
  const { secrets } = setup()
  secrets.put('a', '2001:db8::1')
  secrets.put('b', '2001:db8:0:0:ffff::2')
  t.throws(() => secrets.put('c', '2001:db8:0:0:1:2:3:4'), { code: 'RATE_LIMITED' })
  secrets.put('d', '2001:db8:0:1::1')
  secrets.put('e', '::1')
})
