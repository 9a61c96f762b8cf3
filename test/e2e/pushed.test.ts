/** Permission sets and groups, granted by the real daemon until a grant ends, and then removed from the sandbox's Identity Center. */
import { readFileSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { parse, stringify } from 'yaml'
import type { ConfigFile } from '../../src/config/schema.ts'
import type { GrantView } from '../../src/contract/grants.ts'
import type { PushView, UnrecordedView } from '../../src/contract/identity-center/pushes.ts'
import type { Outcome } from '../../src/contract/requests.ts'
import { skipInShortRun } from '../long.ts'
import type { PolicyDocument } from '../sandbox/aws/world.ts'
import { startDaemon } from '../sandbox/daemon.ts'
import { accounts, arns } from '../sandbox/default-world.ts'
import { outsideActor } from '../sandbox/identity-center-outsiders.ts'
import { createIdentityCenterWorld, groups, permissionSets, users } from '../sandbox/identity-center-world.ts'
import { createOrganization } from '../sandbox/organization-world.ts'
import { waitFor, waitUntil } from '../wait-until.ts'
import { startCompany } from './company.ts'

const company = await startCompany()
t.teardown(() => company.close())
const { world } = company.sandbox.aws
world.organization = createOrganization()
const center = createIdentityCenterWorld()
world.identityCenter = center
center.changesTake = { polls: 0 }
const outside = outsideActor(center)

const { configFile } = company.daemon
const good: ConfigFile = parse(readFileSync(configFile, 'utf8'))
const portal = 'https://d-1234567890.awsapps.com/start'
const identityCenter = { portal_url: portal }
const config: ConfigFile = {
  ...good,
  inventory: { identity_center: identityCenter, every: '24h' },
  levels: [
    ...(good.levels ?? []),
    { for: { kinds: ['permission-set'] }, assigned: { assigned: true, longest_session: '10h' } },
    { for: { kinds: ['identity-center-group'] }, member: { member: true } },
  ],
  access: [
    ...(good.access ?? []),
    {
      name: 'engineers-have-sets',
      who: { groups: ['engineering', 'database-owners'] },
      what: { kinds: ['permission-set'] },
      levels: ['assigned'],
      max_duration: '8h',
    },
    {
      name: 'engineers-become-admins',
      who: { groups: ['engineering'] },
      what: { ids: [`identity-center-group/${groups.admins}`] },
      levels: ['member'],
      max_duration: '8h',
    },
    {
      name: 'engineers-of-identity-center',
      who: { groups: ['idc:Engineers'] },
      what: { kinds: ['permission-set'], names: ['Admin'] },
      levels: ['assigned'],
      max_duration: '8h',
    },
  ],
}

async function put(next: ConfigFile): Promise<void> {
  const loaded = async () => (await company.api<{ loadedAt: number }>('carol', 'GET', '/api/v1/rules')).loadedAt
  const before = await loaded()
  writeFileSync(configFile, stringify(next))
  company.daemon.signal('SIGHUP')
  await waitUntil(async () => (await loaded()) !== before, 'the rules are in force', 30_000)
}

const readOnly = `permission-set/${accounts.data}/ReadOnly`
const webReadOnly = `permission-set/${accounts.web}/ReadOnly`
const admins = `identity-center-group/${groups.admins}`

async function ask(resource: string, level = 'assigned', durationMs = 3_600_000): Promise<GrantView> {
  const { grant } = await company.api<Outcome>('alice', 'POST', '/api/v1/requests', { resource, level, durationMs })
  if (!grant) throw new Error('not granted')
  return grant
}

async function shown(id: string): Promise<GrantView> {
  const { grants } = await company.api<{ grants: GrantView[] }>('dave', 'GET', '/api/v1/grants?all=true')
  const found = grants.find((grant) => grant.id === id)
  if (!found) throw new Error(`no grant ${id}`)
  return found
}

const becomes = (id: string, state: string | undefined) =>
  waitFor(
    async () => {
      const grant = await shown(id)
      return grant.push?.state === state ? grant : undefined
    },
    () => `${id} is ${state}\n${company.daemon.log().slice(-3000)}`,
    40_000,
    300,
  )
const revoke = (id: string) => company.api('dave', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'incident 42' })
const isAssigned = (account: string = accounts.data, user: string = users.alice) =>
  outside.isAssigned(account, permissionSets.readOnly, user)
const isMember = (user: string = users.alice) =>
  center.groups.find(({ id }) => id === groups.admins)?.members.some(({ userId }) => userId === user) ?? false
const gone = (is: () => boolean) =>
  waitUntil(
    () => !is(),
    () => `it is gone from AWS\n${company.daemon.log().slice(-3000)}`,
    40_000,
  )
const pushes = async () => (await company.api<{ pushes: PushView[] }>('carol', 'GET', '/api/v1/pushes')).pushes

interface Event {
  readonly type: string
  readonly fields: Readonly<Record<string, unknown>>
}
async function events(type: string): Promise<readonly Event[]> {
  return (await company.api<{ events: Event[] }>('carol', 'GET', `/api/v1/audit/events?type=${type}`)).events
}

await put(config)
await t.test('the hub role may do what is printed for these rules, and no more', async (t) => {
  t.equal((await company.commands.dave.run(['sync', '--watch', '--json'])).code, 0)
  const printed = await company.commands.dave.run(['aws', 'policies', '--json'])
  t.equal(printed.code, 0, printed.stderr)
  const byRules = (JSON.parse(printed.stdout) as { name: string; document: PolicyDocument }[]).filter(({ name }) =>
    ['hubAssignments', 'hubMemberships'].includes(name),
  )
  t.equal(byRules.length, 2)
  for (const { document } of byRules) world.roles.find(({ arn }) => arn === arns.hub)?.policies.push(document)
})

await t.test('a permission set is assigned while the grant lives; C-3: what outlives it is shown', async (t) => {
  const asked = await company.commands.alice.run(['request', readOnly, '--level', 'assigned', '--for', '1h'])
  t.match(asked.stdout, /is being written to Identity Center/)
  t.match(asked.stdout, new RegExp(`open ${portal}/#/console\\?account_id=${accounts.data}&role_name=ReadOnly`))
  const id = /grt_[0-9a-z]{26}/.exec(asked.stdout)?.[0] ?? ''
  const grant = await becomes(id, 'granted')
  t.ok(isAssigned())
  t.equal(grant.outlivesUntil, grant.endsAt + 8 * 3_600_000)
  const listed = await company.commands.alice.run(['grants'])
  t.match(listed.stdout, /active, granted/)
  t.match(listed.stdout, new RegExp(`${readOnly}: ${portal}/#/console`))
  const opened = await company.commands.alice.run(['aws', readOnly, 'console', '--print'])
  t.match(opened.stdout, new RegExp(`^${portal}/#/console`), opened.stderr)
  t.match(await events('push.begun'), [{ fields: { to: 'present', user: users.alice, grants: [id] } }])
  t.match(await events('push.granted'), [{ fields: { ownership: 'created' } }])
  const linked = await events('identity-center.linked')
  t.ok(linked.some(({ fields }) => fields.user === users.alice && fields.found_by === 'email'))
  await revoke(id)
  await gone(isAssigned)
  await becomes(id, undefined)
  const ended = await shown(id)
  t.ok((ended.outlivesUntil ?? 0) > Date.now(), 'its sessions may go on')
  t.match(await events('push.removed'), [{ fields: { user: users.alice } }])
  t.same(await pushes(), [])
})

// What conformance proves of both kinds, in .ci/long as well.
const inLongRun = { skip: skipInShortRun }
await t.test('a person is in a group while the grant lives, and two grants are one membership', inLongRun, async () => {
  const first = await ask(admins, 'member')
  const second = await ask(admins, 'member')
  await becomes(first.id, 'granted')
  await becomes(second.id, 'granted')
  await revoke(second.id)
  const third = await ask(webReadOnly) // by the time that it is there, the removal of the other would be as well
  await becomes(third.id, 'granted')
  t.ok(isMember())
  await company.api('alice', 'POST', `/api/v1/grants/${first.id}/return`, {})
  await gone(isMember)
  await revoke(third.id)
  await gone(() => isAssigned(accounts.web))
})

await t.test('a group of Identity Center gives rights, and who leaves it loses them', async (t) => {
  const { run } = company.commands.dave
  const isIn = (is: boolean) =>
    waitUntil(
      async () => {
        const path = '/api/v1/principals'
        const all = await company.api<{ principals: { name: string; groups: string[] }[] }>('dave', 'GET', path)
        return (
          all.principals.some(({ name, groups }) => name.startsWith('bob') && groups.includes('idc:Engineers')) === is
        )
      },
      () => `bob is ${is ? '' : 'not '}in it\n${company.daemon.log().slice(-2000)}`,
      40_000,
      300,
    )
  await isIn(true)
  t.match((await run(['identity-center', 'groups'])).stdout, new RegExp(`idc:Engineers +${groups.engineers} +2 `))
  outside.leave(groups.engineers, users.bob)
  const pinned = await run(['identity-center', 'pin', 'Engineers', groups.engineers]) // has it read at once
  t.equal(pinned.code, 0, pinned.stderr)
  await isIn(false)
  outside.join(groups.engineers, users.bob)
})

await t.test('what AWS refuses is said with its words, and tried again', async (t) => {
  center.changesTake = 'told'
  const { id } = await ask(readOnly)
  await waitUntil(() => center.changes.some(({ status }) => status === 'IN_PROGRESS'), 'AWS is at work')
  outside.endChanges('Received a 404 status error: the role quota of the account is exceeded')
  center.changesTake = { polls: 0 }
  const { push } = await becomes(id, 'failed')
  t.match(push, { reason: /role quota of the account is exceeded/ })
  t.match((await company.commands.alice.run(['grants'])).stdout, /failed: .*role quota/)
  t.match(await events('push.failed'), [{ fields: { to: 'present' } }])
  await revoke(id)
  await becomes(id, undefined)
  t.notOk(isAssigned())
})

await t.test('what was there before stays, until an admin adopts it', inLongRun, async (t) => {
  outside.assign(accounts.web, permissionSets.readOnly, users.alice)
  const { id } = await ask(webReadOnly)
  await becomes(id, 'granted')
  await revoke(id)
  const [push] = await waitFor(async () => {
    const found = await pushes()
    return found[0]?.state === 'outside' ? found : undefined
  }, 'it is found to be outside')
  t.match(push, { ownership: 'pre-existing', userName: 'alice', account: accounts.web, grants: [] })
  t.ok(isAssigned(accounts.web))
  t.match((await company.commands.carol.run(['identity-center', 'ls'])).stdout, /outside +pre-existing/)
  const adopted = await company.commands.dave.run(['adopt', push?.id ?? ''])
  t.match(adopted.stdout, /no grant wants it, so it is being removed/, adopted.stderr)
  await gone(() => isAssigned(accounts.web))
  t.match(await events('push.adopted'), [{ fields: { user: users.alice, ownership: 'adopted' } }])
})

await t.test('what AWS holds without a record is listed, and taken over by its user', async (t) => {
  const { run } = company.commands.dave
  const listed = await run(['identity-center', 'unrecorded', '--resource', `permission-set/${accounts.data}/Admin`])
  t.match(listed.stdout, new RegExp(`${users.bob} +bob `), listed.stderr)
  outside.join(groups.admins, users.carol)
  const all = await company.api<{ items: UnrecordedView[] }>('dave', 'GET', '/api/v1/pushes/unrecorded')
  t.ok(all.items.some(({ resource, userName }) => resource === admins && userName === 'carol'))
  t.equal((await run(['adopt', '--resource', admins, '--user', users.carol])).code, 0)
  await gone(() => isMember(users.carol))
  t.equal(outside.isAssigned(accounts.data, permissionSets.admin, users.bob), true, 'the other stays')
})

await t.test('who is not known in Identity Center is told so before the request is made', inLongRun, async (t) => {
  const bob = center.users.find(({ id }) => id === users.bob)
  Object.assign(bob ?? {}, { userName: 'robert', email: 'robert@corp.example' })
  const refused = await company.commands.bob.run(['request', readOnly, '--level', 'assigned', '--for', '1h'])
  t.not(refused.code, 0)
  t.match(refused.stderr, /Identity Center has no user with the e-mail address or user name bob@example.com/)
  t.match(refused.stderr, /sallyport identity-center link/)
  const linked = await company.commands.dave.run(['identity-center', 'link', 'bob@example.com', users.bob])
  t.match(linked.stdout, /bob@example.com is robert in Identity Center/, linked.stderr)
  const asked = await company.commands.bob.run(['request', readOnly, '--level', 'assigned', '--for', '1h'])
  t.equal(asked.code, 0, asked.stderr)
  await waitUntil(() => isAssigned(accounts.data, users.bob), 'bob is assigned', 40_000)
  t.match((await company.commands.carol.run(['identity-center', 'links'])).stdout, /robert +admin/)
  await company.commands.dave.run(['identity-center', 'unlink', 'bob@example.com'])
  await gone(() => isAssigned(accounts.data, users.bob))
})

await t.test(
  'C-4: of a user who was deleted meanwhile, it is removed by the id that is on record',
  inLongRun,
  async (t) => {
    const { id } = await ask(readOnly)
    await becomes(id, 'granted')
    const kept = [...center.users]
    outside.deleteUser(users.alice)
    await revoke(id)
    await gone(isAssigned)
    await becomes(id, undefined)
    t.same(await pushes(), [])
    center.users = kept
  },
)

await t.test(
  'killed in the middle of each step, what AWS has in the end is what the log says',
  inLongRun,
  async (t) => {
    const restart = async () => {
      company.daemon.signal('SIGKILL')
      await company.daemon.exited
      company.daemon = await startDaemon(company.sandbox, { files: company.daemon, readyWithinMs: 60_000 })
    }
    await atOnce(t, 'CreateAccountAssignment', async () => {
      const { id } = await ask(readOnly)
      return id
    })
    const { id } = (await company.api<{ grants: GrantView[] }>('alice', 'GET', '/api/v1/grants')).grants[0] ?? {
      id: '',
    }
    await restart()
    t.match(await becomes(id, 'granted'), { push: { state: 'granted' } })
    t.match((await pushes())[0], { ownership: 'created' }, 'it was absent when the log says that it was begun')
    await atOnce(t, 'DeleteAccountAssignment', () => revoke(id))
    await restart()
    await gone(isAssigned)
    await becomes(id, undefined)
    t.equal(outside.isAssigned(accounts.data, permissionSets.admin, users.bob), true, 'what others assigned is there')

    center.changesTake = 'told'
    const asked = await ask(readOnly)
    const { calls } = company.sandbox.aws
    const isPolled = () => calls.at(-1)?.action === 'DescribeAccountAssignmentCreationStatus'
    await waitUntil(isPolled, 'the ticket is on record, and was asked about', 40_000)
    await restart()
    outside.endChanges()
    center.changesTake = { polls: 0 }
    await becomes(asked.id, 'granted')
    t.equal(center.changes.filter(({ status }) => status === 'IN_PROGRESS').length, 0)
    await revoke(asked.id)
    await gone(isAssigned)
  },
)

/** Resolves when AWS was asked for it; its answer never arrives. */
async function atOnce(t: Test, action: string, begin: () => Promise<unknown>): Promise<void> {
  const { aws } = company.sandbox
  const held = aws.faults.holdAnswer(action)
  t.teardown(() => held.letGo())
  await begin()
  await held.waits
}

await t.test('switched off: what was granted through it is removed first, also of a user who is gone', async () => {
  const { id } = await ask(readOnly)
  await becomes(id, 'granted')
  outside.deleteUser(users.alice)
  const access = (config.access ?? []).filter(({ name }) => name !== 'engineers-of-identity-center')
  await put({ ...config, access, inventory: { every: '24h' } })
  await gone(isAssigned)
})
