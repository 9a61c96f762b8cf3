import type { Test } from 'tap'
import { createAccess } from '../../../src/access/create-access.ts'
import type { AuditType } from '../../../src/audit/audit.ts'
import type { Principal } from '../../../src/identity/principal.ts'
import { type Change, createChanges, isRemoval } from '../../../src/store/changes.ts'
import { openKeyring } from '../../../src/store/keyring.ts'
import { openStore } from '../../../src/store/store.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { steadyClock } from '../../../src/telemetry/steady-clock.ts'
import { newDir, openAudit } from '../audit/start-audit.ts'
import { postgresPlace } from '../store/both-stores.ts'
import { config, createTestClock, examplePeople, kinds, loginOf, principal, type SetupOptions } from './access-setup.ts'
import { leaderAmong } from './leaders.ts'

/** Two daemons on one PostgreSQL store, with a directory, a clock and keys in common; each with a log, and what it heard by it. */
export async function startTwo(t: Test, options: SetupOptions = {}) {
  const place = await postgresPlace()
  const keyring = openKeyring(newDir(t))
  const clock = createTestClock()
  const people = new Map((options.people ?? examplePeople).map((one) => [one.id, one]))
  const leaders = leaderAmong('a')

  const daemon = async (name: string, behindMs = 0, rules = options.rules) => {
    const own = { now: () => clock.now() - behindMs }
    const db = await openStore(place)
    t.teardown(() => db.destroy())
    const { audit, logged } = await openAudit(t, { db, keyring, clock: own })
    const changes = createChanges()
    const metrics = createMetrics()
    const published: Change[] = []
    changes.subscribe((change) => published.push(change))
    const access = await createAccess({
      db,
      keyring,
      audit,
      clock: own,
      steadyClock: steadyClock(own, own.now),
      requireClock: () => {},
      logger: createLogger({ level: 'silent' }),
      metrics,
      changes,
      identity: {
        principal: async (id) => people.get(id),
        tagClaims: async () => ({}),
        loginName: async () => ({ problem: 'none', hint: 'none' }),
        findPrincipal: async (id) => people.get(id) ?? principal(id),
      },
      kinds,
      config: config(),
      leader: leaders.of(name, db),
    })
    t.teardown(() => access.close())
    audit.subscribe((record, from) => {
      if (from === 'elsewhere') access.apply(record)
    })
    const load = async (changed = rules) => {
      const reloaded = await access.reload(config(changed))
      if (!reloaded.ok) throw new Error(JSON.stringify(reloaded.problems))
    }
    await load()
    return {
      access,
      audit,
      changes,
      db,
      load,
      logged,
      /** `sallyport_grants_active` */
      active: async () => (await metrics.grantsActive.get()).values.map(({ value }) => value),
      published,
      /** What the others have done until now is in effect here. */
      hear: async () => {
        await audit.catchUp()
        await access.idle()
      },
      ends: () => published.filter(isRemoval),
      given: () => published.filter(({ what }) => what === 'grant-given'),
      /** Whether alice may open a session now, with any grant or this one. */
      may: async (grantId?: string) =>
        await access.check({ principalId: 'alice', resource: 'orders', ...(grantId === undefined ? {} : { grantId }) }),
    }
  }

  const a = await daemon('a')
  const b = await daemon('b')
  await a.hear()
  return {
    a,
    b,
    daemon,
    clock,
    leaders,
    people,
    login: (id: string) => loginOf(people.get(id) ?? principal(id), clock.now()),
    /** Changes a person in the directory, and tells each daemon. */
    change: async (id: string, more: Partial<Principal>) => {
      people.set(id, { ...(people.get(id) ?? principal(id)), ...more })
      for (const { changes } of [a, b]) changes.publish({ what: 'directory', id })
      await Promise.all([a.access.idle(), b.access.idle()])
    },
    /** In the log that both share. */
    events: async (...types: AuditType[]) => [...(await a.audit.search({ types })).events].reverse(),
  }
}
