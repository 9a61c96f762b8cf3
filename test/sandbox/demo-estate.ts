import { mkdtempSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import type { ConfigFile } from '../../src/config/schema.ts'
import { accounts, arns } from './default-world.ts'
import { createIdentityCenterWorld } from './identity-center-world.ts'
import type { ConfigOverrides, Sandbox } from './sandbox.ts'

type Resources = NonNullable<ConfigFile['resources']>

/** What is written in the demo: where names of AWS lead to on this machine, and through which role or instance. */
const local = ['connect_address', 'ca', 'via', 'role']

/** The company's Identity Center is read, its roles and databases hand themselves to the broker by their tags, and are found; nothing of AWS is written twice. */
export async function discoverEstate(sandbox: Sandbox): Promise<ConfigOverrides> {
  const { world } = sandbox.aws
  world.identityCenter = createIdentityCenterWorld()
  for (const one of world.rds.instances) one.tags['sallyport:managed'] = 'true'
  for (const role of world.roles)
    if (role.arn === arns.reports || role.arn === arns.deploy) role.tags = { ...role.tags, team: 'shop' }
  const { configFile } = await sandbox.writeConfig(mkdtempSync(path.join(sandbox.dir, 'written-')))
  const { resources = [] }: ConfigFile = parse(readFileSync(configFile, 'utf8'))
  const found = new RegExp(`^iam-role/${accounts.data}/`)
  return {
    inventory: { organization: true, import: 'tagged', identity_center: {} },
    resources: resources.filter(({ id }) => !found.test(id)).map((one) => (/^rds-/.test(one.id) ? partOf(one) : one)),
  }
}

function partOf({ id, ...rest }: Resources[number]): Resources[number] {
  return { id, ...Object.fromEntries(Object.entries(rest).filter(([name]) => local.includes(name))) }
}
