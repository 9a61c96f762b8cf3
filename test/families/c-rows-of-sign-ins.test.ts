/** Rows of sign-ins that someone changed who can write to the store, and has no keys. */
import t, { type Test } from 'tap'
import { createDeviceCodes } from '../../src/identity/sign-in/device-codes.ts'
import { countRequest } from '../../src/identity/sign-in/request-counts.ts'
import { openKeyring } from '../../src/store/keyring.ts'
import { openStore } from '../../src/store/store.ts'
import { bothStores } from '../src/store/both-stores.ts'

for (const [name, newPlace] of bothStores) {
  const setup = async (t: Test) => {
    const db = await openStore(await newPlace())
    t.teardown(() => db.destroy())
    const clock = { at: 1_000_000, now: () => clock.at }
    const deps = { db, keyring: openKeyring(t.testdir()), clock }
    return { ...deps, devices: createDeviceCodes(deps, { intervalMs: 0 }) }
  }
  const vouched = {
    issuer: 'i',
    subject: 'alice',
    claims: {},
    refreshToken: null,
    authenticatedAt: 1,
    acr: null,
    sid: null,
  }

  t.test(
    `C: ${name}: a code that a person types leads to the request that it was made for, and to no other`,
    async (t) => {
      const { devices, db } = await setup(t)
      const [theirs, mallorys] = [await devices.begin('192.0.2.1'), await devices.begin('198.51.100.9')]
      const rows = await db.selectFrom('one_time_secrets').selectAll().execute()
      const rowOf = (network: string) => rows.find((row) => row.network === network)
      const [own, other] = [rowOf('192.0.2.1'), rowOf('198.51.100.9')]
      const alias = (digest = '', to: string | null = null) =>
        db.updateTable('one_time_secrets').set({ alias: to }).where('digest', '=', digest).execute()
      await alias(own?.digest)
      await alias(other?.digest, own?.alias)
      t.equal(await devices.find(theirs.request.userCode), undefined)
      const state = { is: 'approved', vouched } as unknown as Parameters<typeof devices.decide>[1]
      t.notOk(await devices.decide(theirs.request.userCode, state))
      t.same(await devices.poll(mallorys.deviceCode), { is: 'unknown' })
      await alias(other?.digest, other?.alias ?? null)
      await alias(own?.digest, own?.alias)
      t.match(await devices.find(theirs.request.userCode), { address: '192.0.2.1' })
    },
  )

  t.test(`C: ${name}: what was not sealed here waits for nobody, and breaks nothing`, async (t) => {
    const { devices, db } = await setup(t)
    const { deviceCode, request } = await devices.begin('192.0.2.1')
    for (const payload of [Buffer.of(), Buffer.of(2), Buffer.alloc(100)]) {
      await db.updateTable('one_time_secrets').set({ payload }).execute()
      t.equal(await devices.find(request.userCode), undefined)
      t.same(await devices.poll(deviceCode), { is: 'unknown' })
    }
  })

  t.test(`C: ${name}: a count that no daemon made limits nobody for longer than its window`, async (t) => {
    const deps = await setup(t)
    const count = () => countRequest(deps, 'POST /device 192.0.2.1', 60_000)
    await count()
    await count()
    t.match(await count(), { current: 3 })
    for (const forged of [
      { until: deps.clock.at + 3_600_000, count: 1_000_000 },
      { until: deps.clock.at + 1000, count: Number.MAX_SAFE_INTEGER },
    ]) {
      await deps.db.updateTable('request_counts').set(forged).execute()
      await count()
      deps.clock.at += 60_001
      t.match(await count(), { current: 1 })
    }
    await deps.db
      .updateTable('request_counts')
      .set({ until: deps.clock.at + 1000, count: -1_000_000 })
      .execute()
    t.ok((await count()).current > 0, 'nor is it a credit')
  })
}
