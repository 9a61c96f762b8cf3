import t, { type Test } from 'tap'
import { CenterGroups } from '../../../src/pushed/center-groups.ts'
import { newPush, type Push } from '../../../src/pushed/push.ts'
import { createChanges } from '../../../src/store/changes.ts'
import { openStore } from '../../../src/store/store.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { memoryLog } from './log.ts'
import { membershipOf } from './world.ts'

const minute = 60_000
const ids = { ops: '00000000-0000-4000-8000-000000000001', other: '00000000-0000-4000-8000-000000000002' } as const
const { signal } = new AbortController()

/** Rules that name groups, an Identity Center with one of them, and people who are linked to users of their own name. */
async function start(t: Test, named: string[] = ['idc:Ops']) {
  const db = await openStore({ url: 'sqlite::memory:' })
  t.teardown(() => db.destroy())
  const clock = { at: 1_800_000_000_000, now: () => clock.at }
  const { log, records } = memoryLog(db, clock.now)
  const center = {
    groups: [{ id: ids.ops as string, name: 'Ops', description: '', isExternal: false }],
    members: new Map<string, string[]>([[ids.ops, ['alice', 'bob']]]),
    isDown: false,
    calls: 0,
  }
  const linked = new Set(['alice', 'bob', 'carol'])
  const isIn = new Map<string, readonly string[]>()
  const pushes: Push[] = []
  const given = new Set<string>()
  const links = {
    of: (id: string) => links.all.find(({ principalId }) => principalId === id),
    get all() {
      const of = { userName: null, foundBy: 'email', linkedAt: 1, version: 1 }
      return [...linked].map((id) => ({ principalId: id, userId: id, ...of }))
    },
  }
  const principal = (id: string) => ({ id, kind: 'person', active: true }) as never
  const changes = createChanges()
  const answer = <T>(of: T): T => {
    center.calls++
    if (center.isDown) throw new Error('throttled for long')
    return of
  }
  const deps = {
    access: { groupsNamed: () => ['staff', ...named], isGiven: (id: string) => given.has(id) },
    ...{ audit: log, changes, clock, links, logger: createLogger({ level: 'silent' }) },
    books: { open: async () => pushes },
    center: () => ({
      groups: async () => answer(center.groups),
      members: async (id: string) =>
        answer(center.members.get(id)?.map((userId) => ({ userId, membershipId: userId })) ?? null),
    }),
    identity: {
      inCenterGroups: async () => new Map(isIn),
      setCenterGroups: async (id: string, groups: readonly string[]) => {
        if (groups.length > 0) isIn.set(id, groups)
        else isIn.delete(id)
      },
      principal: async (id: string) => principal(id),
      principals: async () => ({ items: ['alice', 'dave'].map(principal), next: null, total: 2, capped: false }),
    },
    people: {
      find: async ({ id }: { id: string }) => {
        linked.add(id)
        return { userId: id }
      },
    },
  }
  const groups = new CenterGroups(deps)
  const restarted = async () => {
    const next = new CenterGroups(deps)
    await next.load()
    return next
  }
  const pass = async (ms = minute, of = groups) => {
    clock.at += ms
    await of.run(signal)
    return Object.fromEntries(isIn)
  }
  return { center, changes, clock, given, groups, isIn, linked, named, pass, pushes, records, restarted }
}

t.test('who is in a group that rules name has it, and loses it within a minute', async (t) => {
  const { center, pass, records, linked } = await start(t)
  t.same(await pass(0), { alice: ['idc:Ops'], bob: ['idc:Ops'] })
  t.match(records, [
    { type: 'identity-center.group-pinned', actor: 'system', fields: { group: 'idc:Ops', id: ids.ops } },
  ])
  center.members.set(ids.ops, ['bob', 'carol', 'dave'])
  t.ok(linked.has('dave'), 'who was not known yet is looked for')
  t.same(Object.keys(await pass()).sort(), ['bob', 'carol', 'dave'])
  const { calls } = center
  await pass(1000)
  t.equal(center.calls, calls, 'in between nothing is asked')
})

t.test('a name stays with its group: renamed, gone, made anew', async (t) => {
  const { center, groups, pass, restarted } = await start(t)
  await pass(0)
  center.groups = [
    { id: ids.ops, name: 'Operations', description: '', isExternal: false },
    { id: ids.other, name: 'Ops', description: '', isExternal: false },
  ]
  center.members.set(ids.other, ['carol'])
  t.same(Object.keys(await pass()), ['alice', 'bob'], 'renamed, and another took its name')
  t.same(Object.keys(await pass(minute, await restarted())), ['alice', 'bob'], 'also after a restart')
  center.members.delete(ids.ops)
  t.same(await pass(), {}, 'gone')
  t.match(await groups.list(signal), [{ name: 'idc:Ops', id: ids.ops, problem: /made anew is another/ }])
  await t.rejects(groups.pin('idc:Ops', ids.ops, 'dave'), { code: 'NOT_FOUND' })
  await t.rejects(groups.pin('Others', ids.other, 'dave'), { code: 'NOT_FOUND' })
  await groups.pin('Ops', ids.other, 'dave')
  t.same(Object.keys(await pass(0)), ['carol'], 'an admin says that it is meant')
})

t.test('a name that several groups have, or none, stands for nobody', async (t) => {
  const { center, groups, pass, records } = await start(t)
  center.groups.push({ id: ids.other, name: 'Ops', description: '', isExternal: false })
  t.same(await pass(0), {})
  t.match(await groups.list(signal), [{ id: null, problem: /2 groups are named Ops/ }])
  center.groups.length = 0
  t.same(await pass(), {})
  t.match(await groups.list(signal), [{ id: null, problem: /no group named Ops/ }])
  t.same(records, [], 'and nothing is pinned')
})

t.test('by its id a group needs no name', async (t) => {
  const { pass, records } = await start(t, [`idc:${ids.ops}`])
  t.same(await pass(0), { alice: [`idc:${ids.ops}`], bob: [`idc:${ids.ops}`] })
  t.same(records, [])
})

t.test('what the broker itself gives is no membership', async (t) => {
  const { given, groups, pass, pushes } = await start(t)
  const membership = membershipOf('bob', ids.ops, 'identity-center-group')
  pushes.push({ ...newPush(membership, 1), state: 'granted', ownership: 'created', begunAt: 1, version: 1 })
  t.same(Object.keys(await pass(0)), ['alice'], 'bob was put in by a grant')
  given.add(ids.ops)
  t.same(await pass(), {})
  t.match(await groups.list(signal), [{ problem: /rules give membership in it/ }])
})

t.test('while AWS cannot be read everything stays, for an hour', async (t) => {
  const { center, pass, restarted } = await start(t)
  await pass(0)
  center.isDown = true
  t.same(Object.keys(await pass(30 * minute)), ['alice', 'bob'])
  const next = await restarted()
  t.same(
    Object.keys(await pass(minute, next)),
    ['alice', 'bob'],
    'a daemon that has never read it keeps what is stored',
  )
  for (let i = 0; i < 5; i++) await pass(10 * minute, next)
  t.same(Object.keys(await pass(9 * minute, next)), ['alice', 'bob'])
  t.same(await pass(minute, next), {}, 'but no longer than that')
})

t.test('a clock that is set back keeps nobody in, nor does a change of the daemon that leads', async (t) => {
  const { center, pass, restarted } = await start(t)
  await pass(0)
  center.members.set(ids.ops, ['bob'])
  t.same(Object.keys(await pass(-60 * minute)), ['bob'])
  const second = await restarted()
  await pass(3 * 60 * minute)
  center.isDown = true
  t.same(Object.keys(await pass(3 * 60 * minute, second)), ['bob'], 'what was not read for want of a turn is not lost')
  t.same(await pass(10 * minute, second), { bob: ['idc:Ops'] })
})

t.test('looking at the list pins nothing', async (t) => {
  const { groups, records } = await start(t)
  t.match(await groups.list(signal), [{ name: 'idc:Ops', id: ids.ops, problem: null }])
  t.same(records, [])
})

t.test('a rule that is gone takes its group along, and a reload is heeded at once', async (t) => {
  const { changes, named, pass } = await start(t)
  await pass(0)
  named.length = 0
  changes.publish({ what: 'rules' })
  t.same(await pass(0), {})
})
