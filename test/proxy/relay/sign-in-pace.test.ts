import t from 'tap'
import { SignInPace } from '../../../proxy/relay/sign-in-pace.ts'

const never = new AbortController().signal
const resourceId = 'orders'

t.test('five hundred at once: each has its turn, at the pace that was told', async (t) => {
  const pace = new SignInPace(() => performance.now())
  const since = performance.now()
  const ask = () => pace.turn({ resourceId, perSecond: 1000, mostMs: 10_000, signal: never })
  await Promise.all(Array.from({ length: 500 }, ask))
  t.ok(performance.now() - since >= 485, 'ten at once, then one each millisecond')
})

t.test('who would wait too long is refused, takes no turn, and disturbs no other target', async (t) => {
  let now = 0
  const pace = new SignInPace(() => now)
  const ask = (id = resourceId) => pace.turn({ resourceId: id, perSecond: 1, mostMs: 0, signal: never })
  for (let i = 0; i < 10; i += 1) await ask()
  for (let i = 0; i < 3; i += 1)
    await t.rejects(ask(), { code: 'TOO_MANY_SESSIONS', detail: '1 connection waits to sign in to orders' })
  await ask('another')
  now = 1000
  await ask()
  await t.rejects(ask(), { code: 'TOO_MANY_SESSIONS' })
  now = 60_000
  for (let i = 0; i < 10; i += 1) await ask()
  await t.rejects(ask(), { code: 'TOO_MANY_SESSIONS' }, 'a long pause earns no more than that')
})

t.test('a wait ends with its attempt', async (t) => {
  const pace = new SignInPace(() => performance.now())
  const attempt = new AbortController()
  for (let i = 0; i < 10; i += 1) await pace.turn({ resourceId, perSecond: 1, mostMs: 0, signal: never })
  const waiting = pace.turn({ resourceId, perSecond: 1, mostMs: 5000, signal: attempt.signal })
  attempt.abort()
  await t.rejects(waiting, { name: 'AbortError' })
})
