import t, { type Test } from 'tap'
import {
  createOneTimeSecrets,
  expireOneTimeSecrets,
  type OneTimeSecretsDeps,
} from '../../../../src/identity/sign-in/one-time-secrets.ts'
import { openKeyring } from '../../../../src/store/keyring.ts'
import { openStore } from '../../../../src/store/store.ts'
import { bothStores } from '../../store/both-stores.ts'

const options = { purpose: 'test', ttlMs: 1000, most: 4, mostPerAddress: 2 }

for (const [name, newPlace] of bothStores) {
  /** Two daemons on one store. */
  const setup = async (t: Test) => {
    const db = await openStore(await newPlace())
    t.teardown(() => db.destroy())
    const clock = { at: 1, now: () => clock.at }
    const deps: OneTimeSecretsDeps = { db, keyring: openKeyring(t.testdir()), clock }
    const create = () => createOneTimeSecrets<string>(deps, options)
    const rows = () => db.selectFrom('one_time_secrets').selectAll().execute()
    return { ...deps, clock, secrets: create(), elsewhere: create(), rows }
  }

  t.test(`${name}: a thing is taken once, at whichever daemon`, async (t) => {
    const { secrets, elsewhere, rows } = await setup(t)
    const secret = await secrets.put('a', '1.1.1.1')
    t.match(secret, /^[A-Za-z0-9_-]{43}$/)
    t.equal(await elsewhere.peek(secret), 'a')
    const taken = await Promise.all([secrets, elsewhere, secrets, elsewhere].map((at) => at.take(secret)))
    t.same(
      taken.filter((value) => value !== undefined),
      ['a'],
    )
    t.equal(await secrets.take(secret), undefined)
    t.equal((await rows()).length, 0)
  })

  t.test(`${name}: it waits until its time, and not at that instant; then the sweep removes it`, async (t) => {
    const { secrets, clock, db, rows } = await setup(t)
    const secret = await secrets.put('a', '1.1.1.1')
    clock.at = 1000
    t.equal(await secrets.peek(secret), 'a')
    await expireOneTimeSecrets(db, clock.at)
    t.equal((await rows()).length, 1)
    clock.at = 1001
    t.equal(await secrets.peek(secret), undefined)
    t.equal(await secrets.addTry(secret, 5), undefined)
    await expireOneTimeSecrets(db, clock.at)
    t.equal((await rows()).length, 0)
  })

  t.test(`${name}: few wait, and fewer of one address; what is taken or expired makes room`, async (t) => {
    const { secrets, elsewhere, clock } = await setup(t)
    const first = await secrets.put('a', '1.1.1.1')
    await elsewhere.put('b', '1.1.1.1')
    await t.rejects(secrets.put('c', '1.1.1.1'), { code: 'RATE_LIMITED' })
    await secrets.put('c', '2.2.2.2')
    await elsewhere.put('d', '3.3.3.3')
    await t.rejects(secrets.put('e', '4.4.4.4'), { code: 'RATE_LIMITED' })
    await elsewhere.take(first)
    await secrets.put('e', '1.1.1.1')
    clock.at = 1001
    await secrets.put('f', '1.1.1.1')
    await secrets.put('g', '1.1.1.1')
    await t.rejects(elsewhere.put('h', '1.1.1.1'), { code: 'RATE_LIMITED' })
  })

  t.test(`${name}: what waits for one purpose is nothing to another`, async (t) => {
    const { secrets, ...deps } = await setup(t)
    const other = createOneTimeSecrets<string>(deps, { ...options, purpose: 'other', most: 1 })
    const secret = await secrets.put('a', '1.1.1.1')
    t.equal(await other.peek(secret), undefined)
    t.equal(await other.take(secret), undefined)
    await other.put('b', '1.1.1.1')
    t.equal(await secrets.take(secret), 'a')
  })

  t.test(`${name}: two daemons that count the tries of one secret together let no more through`, async (t) => {
    const { secrets, elsewhere, rows } = await setup(t)
    const secret = await secrets.put('a', '1.1.1.1')
    const tries = await Promise.all(
      Array.from({ length: 12 }, (_, i) => (i % 2 ? secrets : elsewhere).addTry(secret, 5)),
    )
    const left = tries.flatMap((tried) => (tried ? [tried.left] : []))
    t.same(left.sort(), [0, 1, 2, 3, 4])
    t.equal((await rows())[0]?.tries, 5)
  })

  t.test(`${name}: of two decisions one counts, and a poll elsewhere is told`, async (t) => {
    const { secrets, elsewhere } = await setup(t)
    const secret = (await secrets.putAs('alias', 'pending', '1.1.1.1')) ?? ''
    t.equal(await elsewhere.putAs('alias', 'again', '2.2.2.2'), undefined, 'no second one of this alias')
    const decide = (to: string) => (now: string) => (now === 'pending' ? to : undefined)
    const decided = await Promise.all([secrets.update('alias', decide('yes')), elsewhere.update('alias', decide('no'))])
    t.same(decided.filter(Boolean).length, 1)
    const value = decided[0] ? 'yes' : 'no'
    t.equal(await elsewhere.find('alias'), value)
    t.same(await elsewhere.poll(secret, 0), { value })
    await secrets.take(secret)
    t.equal(await elsewhere.find('alias'), undefined)
    t.equal(await secrets.poll(secret, 0), undefined)
    t.equal(await secrets.update('alias', () => 'late'), false)
  })

  t.test(`${name}: polls are counted together`, async (t) => {
    const { secrets, elsewhere, clock } = await setup(t)
    const secret = await secrets.put('a', '1.1.1.1')
    clock.at = 200
    t.same(await secrets.poll(secret, 100), { value: 'a' })
    clock.at = 290
    t.equal(await elsewhere.poll(secret, 100), 'early')
    clock.at = 380
    t.equal(await secrets.poll(secret, 100), 'early', 'the early one was noted too')
    clock.at = 480
    t.same(await elsewhere.poll(secret, 100), { value: 'a' })
  })

  t.test(
    `${name}: the store shows neither secret nor what waits, and takes none that the broker did not seal`,
    async (t) => {
      const { secrets, db, clock, rows } = await setup(t)
      const secret = (await secrets.putAs('BCDF-GHJK', 'what waits', '1.1.1.1')) ?? ''
      const [row] = await rows()
      const shown = JSON.stringify(row) + Buffer.from(row?.payload ?? []).toString('latin1')
      for (const hidden of [secret, 'BCDF-GHJK', 'what waits']) t.notOk(shown.includes(hidden))
      const other = await secrets.put('theirs', '1.1.1.1')
      await db
        .updateTable('one_time_secrets')
        .set({ payload: row?.payload ?? Buffer.of() })
        .execute()
      t.equal(await secrets.take(other), undefined, 'sealed for another secret')
      await db.updateTable('one_time_secrets').set({ expires_at: 10_000 }).execute()
      clock.at = 1001
      t.equal(await secrets.peek(secret), undefined, 'its end is sealed too')
    },
  )

  t.test(`${name}: a /64 of IPv6 counts as one address, however it is written`, async (t) => {
    const { secrets } = await setup(t)
    await secrets.put('a', '2001:db8::1')
    await secrets.put('b', '2001:db8:0:0:ffff::2')
    await t.rejects(secrets.put('c', '2001:db8:0:0:1:2:3:4'), { code: 'RATE_LIMITED' })
    await secrets.put('d', '2001:db8:0:1::1')
    await secrets.put('e', '::1')
  })
}
