/** `sallyport aws onboard`: an organization whose accounts are let in one after the other, with what the command wrote. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import type { OnboardedAccount, ValidationReport } from '../../src/contract/aws.ts'
import type { Role } from '../sandbox/aws/world.ts'
import { accounts, arns, externalId } from '../sandbox/default-world.ts'
import { closedShop, createOrganization, units } from '../sandbox/organization-world.ts'
import { startCompany } from './company.ts'

t.setTimeout(300_000)

interface Onboarded {
  readonly hub: ValidationReport
  readonly accounts: readonly OnboardedAccount[]
  readonly files: readonly string[]
}

const fresh = '222233334444'

t.test('onboarding', async (t) => {
  const company = await startCompany({ overrides: { inventory: { organization: true, every: '24h' } } })
  t.teardown(() => company.close())
  const { dave, alice } = company.commands
  const { world } = company.sandbox.aws
  const organization = createOrganization()
  const [first] = organization.accounts
  if (!first) throw new Error('no account')
  organization.accounts.push({ ...first, id: fresh, name: 'fresh', parent: units.sandbox })
  world.organization = organization
  t.equal((await dave.run(['sync', '--watch'])).code, 0)
  const onboard = async (...more: string[]) => {
    const { code, stdout, stderr } = await dave.run(['aws', 'onboard', '--json', ...more])
    if (!stdout.startsWith('{')) throw new Error(stderr)
    return { code, ...(JSON.parse(stdout) as Onboarded) }
  }
  const states = (found: Onboarded) => Object.fromEntries(found.accounts.map(({ account, state }) => [account, state]))

  await t.test('nothing is tried unless it is asked for, and it is for admins', async (t) => {
    const found = await onboard('--no-check')
    t.same(states(found), {
      ...{ [closedShop]: 'suspended', [accounts.hub]: 'unchecked', [accounts.data]: 'unchecked' },
      ...{ [fresh]: 'unchecked', [accounts.web]: 'unchecked' },
    })
    t.equal((await alice.run(['aws', 'onboard'])).code, 4)
  })

  await t.test('accounts with state; one without a spoke role is not onboarded, and no failure', async (t) => {
    const found = await onboard()
    t.equal(found.code, 1)
    t.match(states(found), { [closedShop]: 'suspended', [accounts.data]: 'onboarded', [fresh]: 'not-onboarded' })
    t.match(
      found.accounts.find(({ account }) => account === fresh),
      { title: 'fresh', unit: units.sandbox, path: 'Sandbox', organization: 'o-exampleorgid', fix: /aws onboard/ },
    )
    t.match(
      found.hub.validations.find(({ check }) => check === 'organization'),
      { status: 'ok', detail: /management/ },
    )
    const list = await dave.run(['aws', 'onboard', '--no-check'])
    t.match(list.stdout, /^222233334444 +fresh +Sandbox +hub +not-onboarded/m)
    t.match(list.stdout, /1 onboarded|onboarded/)
    t.match(list.stdout, /one organization: give another one a broker of its own/)
    const failed = await company.api<{ items: unknown[] }>('dave', 'GET', '/api/v1/validations?status=failed')
    t.notMatch(JSON.stringify(failed.items), fresh)
  })

  await t.test(
    'CloudFormation: the values are those of the installation, and units those of what is missing',
    async (t) => {
      const folder = path.join(company.sandbox.dir, 'onboard-cf')
      const { files } = await onboard('--write', folder)
      t.ok(files.includes(path.join(folder, 'stackset.yaml')))
      const parameters = JSON.parse(readFileSync(path.join(folder, 'stackset-parameters.json'), 'utf8')) as string[]
      t.ok(parameters.includes(`ExternalId=${externalId}`))
      t.ok(parameters.includes(`HubRoleArn=${arns.hub}`))
      t.ok(parameters.includes('ConnectRolePath=/sallyport/'))
      t.match(
        parameters.find((one) => one.startsWith('OrganizationalUnits=')),
        units.sandbox,
      )
      const declared = readFileSync(path.join(folder, 'account.yaml'), 'utf8')
      for (const one of JSON.parse(readFileSync(path.join(folder, 'account-parameters.json'), 'utf8')) as string[])
        t.match(declared, new RegExp(`^  ${one.split('=')[0]}:`, 'm'), one)
    },
  )

  await t.test('Terraform: a module for each account that is missing, with variables that it has', async (t) => {
    const folder = path.join(company.sandbox.dir, 'onboard-tf')
    await onboard('--write', folder, '--format', 'terraform')
    const main = readFileSync(path.join(folder, 'main.tf'), 'utf8')
    t.match(main, `module "account_${fresh}"`)
    t.notMatch(main, `module "account_${accounts.data}"`)
    t.match(main, `external_id = "${externalId}"`)
    const account = readFileSync(path.join(folder, 'account/main.tf'), 'utf8')
    const [module = ''] = /module "account_222233334444" \{[\s\S]*?\n\}/.exec(main) ?? []
    for (const [, name = ''] of module.matchAll(/^ {2}(\w+) = "/gm))
      if (name !== 'source') t.match(account, `variable "${name}"`)
  })

  await t.test('once its role is there, the account is onboarded', async (t) => {
    const spoke = world.roles.find(({ arn }) => arn === arns.connect) as Role
    const arn = spoke.arn.replace(accounts.data, fresh)
    world.roles.push({ ...structuredClone(spoke), arn, roleId: 'AROASANDBOXFRESH0001' })
    t.match(states(await onboard()), { [fresh]: 'onboarded' })
    world.roles = world.roles.filter((one) => one.arn !== arn)
    const again = await onboard('--all')
    t.match(states(again), { [fresh]: 'denied' }, 'what was good and is not any more is a failure')
  })

  await t.test('what a delegated administrator cannot do is said', async (t) => {
    organization.managementAccount = accounts.data
    organization.delegatedAdministrators = { [accounts.hub]: ['sso.amazonaws.com'] }
    const { hub } = await onboard()
    t.match(
      hub.validations.find(({ check }) => check === 'organization'),
      {
        status: 'ok',
        detail: /delegated administrator: .*neither assigns permission sets to the management account/,
      },
    )
  })

  await t.test('aws policies: placeholders are named as such, and are none of AWS’s forms', async (t) => {
    const offline = await alice.run(['aws', 'policies', '--offline'])
    t.notMatch(offline.stdout, /111111111111|222222222222|o-exampleorgid|example\.com/)
    t.match(offline.stderr, /placeholders, which AWS does not take: .*COMPUTE_ARN \(--compute-arn\)/)
    const given = await dave.run(['aws', 'policies', '--compute-arn', arns.compute, '--organization', 'o-exampleorgid'])
    t.equal(given.stderr, '')
  })
})
