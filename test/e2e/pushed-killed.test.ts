/**
 * The daemon is killed fifty times while it writes grants to Identity Center and takes them back, with answers that are lost and others at work
 * in the same places. In the end AWS has what live grants want and what others gave, and nothing else.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { parse, stringify } from 'yaml'
import type { ConfigFile } from '../../src/config/schema.ts'
import type { GrantView } from '../../src/contract/grants.ts'
import type { PushView } from '../../src/contract/identity-center/pushes.ts'
import type { Outcome } from '../../src/contract/requests.ts'
import { skipInShortRun } from '../long.ts'
import { startDaemon } from '../sandbox/daemon.ts'
import { accounts, allow, arns } from '../sandbox/default-world.ts'
import { outsideActor } from '../sandbox/identity-center-outsiders.ts'
import { createIdentityCenterWorld, groups, permissionSets, users } from '../sandbox/identity-center-world.ts'
import { createOrganization } from '../sandbox/organization-world.ts'
import { waitUntil } from '../wait-until.ts'
import { startCompany } from './company.ts'

if (skipInShortRun) {
  t.pass('kills', { skip: skipInShortRun })
  process.exit(0)
}
t.setTimeout(900_000)

const kills = Number(process.env.SALLYPORT_KILLS ?? 50)
const seed = Number(process.env.SALLYPORT_SEED ?? Date.now() % 100_000)
const company = await startCompany()
t.teardown(() => company.close())
const { aws } = company.sandbox
const center = createIdentityCenterWorld()
aws.world.organization = createOrganization()
aws.world.identityCenter = center
aws.world.roles.find(({ arn }) => arn === arns.hub)?.policies.push(allow(['sso:*', 'identitystore:*'], '*'))
const outside = outsideActor(center)

/** Park–Miller. */
let state = (seed % 2_147_483_646) + 1
const random = (below: number) => {
  state = (state * 48_271) % 2_147_483_647
  return state % below
}
const any = <T>(list: readonly T[]): T => list[random(list.length)] as T

const people = ['alice', 'bob'] as const
type Person = (typeof people)[number]
const sets = [
  [accounts.data, permissionSets.readOnly, 'ReadOnly'],
  [accounts.web, permissionSets.readOnly, 'ReadOnly'],
  [accounts.data, permissionSets.admin, 'Admin'],
] as const
/** By resource: whether a person has it in AWS. */
const places = new Map<string, (person: Person) => boolean>([
  ...sets.map(
    ([account, set, name]) =>
      [
        `permission-set/${account}/${name}`,
        (person: Person) => outside.isAssigned(account, set, users[person]),
      ] as const,
  ),
  [
    `identity-center-group/${groups.admins}`,
    (person) =>
      center.groups.find(({ id }) => id === groups.admins)?.members.some(({ userId }) => userId === users[person]) ??
      false,
  ],
])
/** What others gave before: it stays whatever happens. */
const ofOthers = new Set([`bob permission-set/${accounts.data}/Admin`, `alice permission-set/${accounts.web}/ReadOnly`])
outside.assign(accounts.web, permissionSets.readOnly, users.alice)

const { configFile } = company.daemon
const good: ConfigFile = parse(readFileSync(configFile, 'utf8'))
const kinds = ['permission-set', 'identity-center-group']
const rule = {
  name: 'both-have-all',
  who: { groups: ['engineering', 'database-owners'] },
  what: { kinds },
  levels: ['assigned', 'member'],
  max_duration: '8h',
}
const config: ConfigFile = {
  ...good,
  inventory: { identity_center: {}, every: '24h' },
  levels: [
    ...(good.levels ?? []),
    { for: { kinds: ['permission-set'] }, assigned: { assigned: true } },
    { for: { kinds: ['identity-center-group'] }, member: { member: true } },
  ],
  access: [...(good.access ?? []), rule],
}
writeFileSync(configFile, stringify(config))

async function restart(): Promise<void> {
  company.daemon.signal('SIGKILL')
  await company.daemon.exited
  company.daemon = await startDaemon(company.sandbox, { files: company.daemon, readyWithinMs: 60_000 })
}

const live = async () => {
  const { grants } = await company.api<{ grants: GrantView[] }>('dave', 'GET', '/api/v1/grants?limit=1000')
  return grants.filter(({ kind }) => kinds.includes(kind))
}
const pushes = async () =>
  (await company.api<{ pushes: PushView[] }>('carol', 'GET', '/api/v1/pushes?limit=1000')).pushes

/** Something is asked for, given back or revoked; the daemon may be dead before it has answered. */
async function act(): Promise<void> {
  const grants = await live()
  if (grants.length > 0 && random(2) === 0) {
    const { id } = any(grants)
    await company.api('dave', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'incident 42' })
    return
  }
  const resource = any([...places.keys()])
  const level = resource.startsWith('permission-set/') ? 'assigned' : 'member'
  await company.api<Outcome>(any(people), 'POST', '/api/v1/requests', { resource, level, durationMs: 3_600_000 })
}

/** As AWS has it, and as live grants and others want it; sorted. */
const there = () => [...places].flatMap(([id, has]) => people.filter(has).map((person) => `${person} ${id}`)).sort()
const wanted = async () =>
  [
    ...new Set([
      ...ofOthers,
      ...(await live()).map(({ principal, resourceId }) => `${principal.name.split('@')[0]} ${resourceId}`),
    ]),
  ].sort()

/** What was begun right before a kill, and then revoked, is absent and not believed to be for a quarter of an hour. */
const isAtRest = ({ state, grants }: PushView) =>
  state === 'granted' || state === 'outside' || (state === 'granting' && grants.length === 0)

async function settled(): Promise<void> {
  let open: readonly PushView[] = []
  await waitUntil(
    async () => {
      open = await pushes()
      return open.every(isAtRest) && there().join() === (await wanted()).join()
    },
    () => `nothing is left to do: ${JSON.stringify({ open, there: there() })}\n${company.daemon.log().slice(-3000)}`,
    120_000,
    1000,
  )
}

await restart()
await waitUntil(
  async () => (await company.commands.dave.run(['sync', '--watch', '--json'])).code === 0,
  'Identity Center is read',
  60_000,
  1000,
)
const first = { ...center, assignments: [...center.assignments] }

await t.test(`${kills} kills, seed ${seed}`, async (t) => {
  for (let i = 0; i < kills; i++) {
    center.changesTake = any([{ polls: 0 }, { polls: 1 }, { polls: 3 }])
    const from = aws.calls.length
    const isLost = random(3) === 0
    if (isLost)
      aws.faults.loseAnswer(any(['CreateAccountAssignment', 'DeleteAccountAssignment', 'CreateGroupMembership']))
    const other = random(4) === 0 ? outside.change(any(sets)[0], any(sets)[1]) : undefined
    for (let j = 0; j <= random(3); j++) await act()
    const calls = random(8)
    let looks = 0
    await waitUntil(() => aws.calls.length >= from + calls || ++looks > 40, 'the daemon is amid something', 10_000, 50)
    const isBusy = random(2) === 0 ? act().catch(() => {}) : undefined
    await restart()
    await isBusy
    other?.end()
  }
  center.changesTake = { polls: 0 }
  await settled()
  t.same(there(), await wanted(), 'while grants live')
  for (const { id } of await live())
    await company.api('dave', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'the end' })
  await settled()
  t.same(there(), [...ofOthers].sort(), 'nothing is left that the broker gave, and nothing is gone that it did not')
  t.same(
    center.assignments.map((one) => JSON.stringify(one)).sort(),
    first.assignments.map((one) => JSON.stringify(one)).sort(),
  )
  const { code, stdout, stderr } = await company.commands.carol.run(['audit', 'verify'])
  t.equal(code, 0, stdout + stderr)
})
