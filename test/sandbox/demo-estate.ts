import { mkdtempSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import type { ConfigFile } from '../../src/config/schema.ts'
import { accounts, allow, arns } from './default-world.ts'
import { outsideActor } from './identity-center-outsiders.ts'
import { createIdentityCenterWorld, permissionSets, users } from './identity-center-world.ts'
import type { ConfigOverrides, Sandbox } from './sandbox.ts'

/** A permission set that alice may be given. */
export const setId = `permission-set/${accounts.data}/Admin`
const portal = 'https://d-1234567890.awsapps.com/start'
const setRule: NonNullable<ConfigFile['access']>[number] = {
  name: 'engineers-administer-for-an-hour',
  who: { groups: ['engineering'] },
  what: { ids: [setId] },
  levels: ['assigned'],
  max_duration: '1h',
}

type Resources = NonNullable<ConfigFile['resources']>

/** What is written in the demo: where names of AWS lead to on this machine, and through which role or instance. */
const local = ['connect_address', 'ca', 'via', 'role']

/** The company's Identity Center is read, its roles and databases hand themselves to the broker by their tags, and are found; nothing of AWS is written twice. */
export async function discoverEstate(sandbox: Sandbox): Promise<ConfigOverrides> {
  const { world } = sandbox.aws
  const center = createIdentityCenterWorld()
  center.changesTake = { polls: 0 }
  world.identityCenter = center
  world.roles.find(({ arn }) => arn === arns.hub)?.policies.push(allow(['sso:*', 'identitystore:*'], '*'))
  for (const one of world.rds.instances) one.tags['sallyport:managed'] = 'true'
  for (const role of world.roles)
    if (role.arn === arns.reports || role.arn === arns.deploy) role.tags = { ...role.tags, team: 'shop' }
  const { configFile } = await sandbox.writeConfig(mkdtempSync(path.join(sandbox.dir, 'written-')))
  const { resources = [], levels = [], access = [] }: ConfigFile = parse(readFileSync(configFile, 'utf8'))
  const found = new RegExp(`^iam-role/${accounts.data}/`)
  return {
    inventory: { organization: true, import: 'tagged', identity_center: { portal_url: portal } },
    levels: [...levels, { for: { kinds: ['permission-set'] }, assigned: { assigned: true, longest_session: '4h' } }],
    access: [...access, setRule],
    resources: resources.filter(({ id }) => !found.test(id)).map((one) => (/^rds-/.test(one.id) ? partOf(one) : one)),
  }
}

/** Whether alice has it in the sandbox's Identity Center. */
export function hasPermissionSet({ aws }: Sandbox): boolean {
  const { identityCenter } = aws.world
  if (!identityCenter) throw new Error('there is no Identity Center')
  return outsideActor(identityCenter).isAssigned(accounts.data, permissionSets.admin, users.alice)
}

function partOf({ id, ...rest }: Resources[number]): Resources[number] {
  return { id, ...Object.fromEntries(Object.entries(rest).filter(([name]) => local.includes(name))) }
}
