/** What every kind promises whose grants AWS itself holds: one list, run over all of them at once, since each waits for AWS. */
import { readFileSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { parse, stringify } from 'yaml'
import type { ConfigFile } from '../../src/config/schema.ts'
import type { GrantView } from '../../src/contract/grants.ts'
import type { HeldBack, PushView } from '../../src/contract/identity-center/pushes.ts'
import { startCompany } from '../e2e/company.ts'
import { skipInShortRun } from '../long.ts'
import { allow, arns } from '../sandbox/default-world.ts'
import { createIdentityCenterWorld, users } from '../sandbox/identity-center-world.ts'
import { createOrganization } from '../sandbox/organization-world.ts'
import { waitUntil } from '../wait-until.ts'
import { pushedFixtures } from './pushed-fixtures.ts'

if (skipInShortRun) {
  t.pass('test/e2e/pushed.test.ts', { skip: skipInShortRun })
  process.exit(0)
}

const company = await startCompany()
t.teardown(() => company.close())
const { world } = company.sandbox.aws
const center = createIdentityCenterWorld()
world.organization = createOrganization()
world.identityCenter = center
world.roles.find(({ arn }) => arn === arns.hub)?.policies.push(allow(['sso:*', 'identitystore:*'], '*'))
const fixtures = Object.values(pushedFixtures)
const kinds = Object.keys(pushedFixtures)

const { configFile } = company.daemon
const good: ConfigFile = parse(readFileSync(configFile, 'utf8'))
const rule = {
  name: 'engineers-for-a-while',
  who: { groups: ['engineering'] },
  what: { kinds },
  levels: fixtures.map(({ level }) => level),
  max_duration: '8h',
  approval: { stages: [{ any_of: ['group:database-owners'], count: 1 }] },
}
const config: ConfigFile = {
  ...good,
  inventory: { identity_center: {}, every: '24h' },
  levels: [
    ...(good.levels ?? []),
    ...Object.entries(pushedFixtures).map(([kind, { levels }]) => ({ for: { kinds: [kind] }, ...levels })),
  ],
  access: [...(good.access ?? []), rule],
}

async function put(next: ConfigFile): Promise<void> {
  const loaded = async () => (await company.api<{ loadedAt: number }>('carol', 'GET', '/api/v1/rules')).loadedAt
  const before = await loaded()
  writeFileSync(configFile, stringify(next))
  company.daemon.signal('SIGHUP')
  await waitUntil(async () => (await loaded()) !== before, 'the rules are in force', 30_000)
}

const all = async <T>(work: (fixture: (typeof fixtures)[number]) => Promise<T>): Promise<T[]> =>
  await Promise.all(fixtures.map(work))
const grantAll = (ms = 3_600_000) => all(({ resource, level }) => company.grant(ms, resource, level))
const become = (isThere: boolean) =>
  waitUntil(
    () => fixtures.every((fixture) => fixture.isThere(center) === isThere),
    () => `AWS ${isThere ? 'has' : 'has lost'} them\n${company.daemon.log().slice(-2000)}`,
    60_000,
  )
const changes = () =>
  company.sandbox.aws.calls.filter(({ action }) =>
    fixtures.some(({ actions: { present, absent } }) => action === present || action === absent),
  ).length
const revoke = (id: string) => company.api('bob', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'incident 42' })
const pushes = async () => (await company.api<{ pushes: PushView[] }>('carol', 'GET', '/api/v1/pushes')).pushes
const settled = () => waitUntil(async () => (await pushes()).length === 0, 'nothing is left to do', 60_000, 250)

async function isGone(t: Test): Promise<void> {
  await become(false)
  await settled()
  t.same(await pushes(), [])
}

await put(config)
t.equal((await company.commands.dave.run(['sync', '--watch', '--json'])).code, 0)

const promises: Readonly<Record<string, (t: Test) => Promise<void>>> = {
  'without a grant nothing of AWS is changed': async (t) => {
    const body = ({ resource, level }: (typeof fixtures)[number]) => ({ resource, level, durationMs: 3_600_000 })
    await all(async (fixture) => await company.api('alice', 'POST', '/api/v1/requests', body(fixture)))
    t.equal(changes(), 0, 'a request that waits for approval')
    for (const { id } of (await company.api<{ requests: { id: string }[] }>('alice', 'GET', '/api/v1/requests'))
      .requests)
      await company.api('alice', 'POST', `/api/v1/requests/${id}/cancel`, {})
  },
  'expiry takes it back': async (t) => {
    await grantAll(8000)
    await become(true)
    await isGone(t)
  },
  'revocation takes it back': async (t) => {
    const grants = await grantAll()
    await become(true)
    for (const { id } of grants) await revoke(id)
    await isGone(t)
  },
  'a lock of the person takes it back': async (t) => {
    await grantAll()
    await become(true)
    const { principals } = await company.api<{ principals: { id: string; email: string }[] }>(
      'dave',
      'GET',
      '/api/v1/principals',
    )
    const alice = principals.find(({ email }) => email.startsWith('alice'))?.id
    await company.api('dave', 'POST', `/api/v1/principals/${alice}/lock`, { reason: 'laptop stolen' })
    await become(false)
    await company.api('dave', 'POST', `/api/v1/principals/${alice}/unlock`, {})
    await company.signIn(['alice'])
    for (const { id } of await live()) await revoke(id)
    await isGone(t)
  },
  'rules that no longer allow it take it back': async (t) => {
    await grantAll()
    await become(true)
    await put({ ...config, access: good.access ?? [] })
    await isGone(t)
    await put(config)
  },
  'too many early removals wait until an admin lets that list go': async (t) => {
    await put({ ...config, inventory: { identity_center: { most_removals: 0 }, every: '24h' } })
    for (const { id } of await grantAll()) {
      await waitUntil(async () => (await stateOf(id)) === 'granted', 'it is there', 60_000, 250)
      await revoke(id)
    }
    const { run } = company.commands.dave
    const held = async () => JSON.parse((await run(['identity-center', 'held-back', '--json'])).stdout) as HeldBack
    await waitUntil(async () => (await held()).total === fixtures.length, 'they are held back', 60_000, 250)
    t.ok(fixtures.every((fixture) => fixture.isThere(center)))
    const { digest } = await held()
    const wrong = await run(['identity-center', 'release', '0'.repeat(32)])
    t.match(wrong.stderr, /the list is another one by now/)
    t.match((await run(['identity-center', 'release', digest ?? ''])).stdout, /^2 removals go now/)
    await isGone(t)
    await put(config)
  },
  'what someone else gave stays': async (t) => {
    for (const fixture of fixtures) fixture.actOutside(center, 'present')
    const grants = await grantAll()
    await waitUntil(
      async () => (await pushes()).filter(({ state }) => state === 'granted').length === fixtures.length,
      'it is known',
      60_000,
      250,
    )
    const before = changes()
    for (const { id } of grants) await revoke(id)
    await waitUntil(
      async () => (await pushes()).filter(({ state }) => state === 'outside').length === fixtures.length,
      'it is left',
      60_000,
      250,
    )
    t.ok(fixtures.every((fixture) => fixture.isThere(center)))
    t.equal(changes(), before)
    for (const fixture of fixtures) fixture.actOutside(center, 'absent')
  },
  'every step is on record, and the books are whole': async (t) => {
    const events = async (type: string) =>
      (
        await company.api<{ events: { fields: { user: string; kind: string; to?: string } }[] }>(
          'carol',
          'GET',
          `/api/v1/audit/events?type=${type}`,
        )
      ).events
    for (const kind of kinds)
      for (const [type, to] of [
        ['push.begun', 'present'],
        ['push.granted', undefined],
        ['push.begun', 'absent'],
        ['push.removed', undefined],
        ['push.outside', undefined],
      ] as const) {
        const found = (await events(type)).filter(({ fields }) => fields.kind === kind && fields.to === to)
        t.ok(found.length > 0, `${kind} ${type} ${to}`)
        t.ok(found.every(({ fields }) => fields.user === users.alice))
      }
    const verified = await company.commands.carol.run(['audit', 'verify'])
    t.equal(verified.code, 0, verified.stdout + verified.stderr)
  },
}

async function stateOf(id: string): Promise<string | undefined> {
  return (await live()).find((grant) => grant.id === id)?.push?.state
}

async function live(): Promise<readonly GrantView[]> {
  const { grants } = await company.api<{ grants: GrantView[] }>('dave', 'GET', '/api/v1/grants')
  return grants.filter(({ kind }) => kinds.includes(kind))
}

for (const [promise, holds] of Object.entries(promises)) await t.test(promise, holds)
