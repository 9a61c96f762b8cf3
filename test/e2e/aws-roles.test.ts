import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'tap'
import { startCommand } from '../sandbox/commands.ts'
import { accounts, region } from '../sandbox/default-world.ts'
import { skipWithout } from '../sandbox/programs.ts'
import { type Company, startCompany } from './company.ts'

/** Stock tools under roles of the sandbox's, by every way in which they are given credentials. */
interface CallerIdentity {
  readonly Arn: string
  readonly Account: string
}

const awsEnv = (company: Company) => ({
  ...company.commands.alice.env,
  AWS_ENDPOINT_URL: company.sandbox.aws.url,
  AWS_REGION: region,
  AWS_DEFAULT_REGION: region,
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_CONFIG_FILE: path.join(company.daemon.dir, 'aws-config'),
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
})

const stsCalls = (company: Company, roleName: string) =>
  company.sandbox.aws.calls.filter((call) => call.parameters.RoleArn?.endsWith(`/${roleName}`) && call.outcome === 'ok')

test('aws CLI by credential_process, exec, container endpoint and IMDSv2', { skip: skipWithout('aws') }, async (t) => {
  const company = await startCompany()
  t.teardown(() => company.close())
  const { alice } = company.commands
  const env = awsEnv(company)

  const refused = await alice.run(['aws', 'ReportsReader', 'credential-process'])
  t.equal(refused.code, 4, 'without a grant')
  t.match(refused.stderr, /access was not granted/)

  await company.grant(3_600_000, 'ReportsReader')
  const printed = await alice.run(['aws', 'ReportsReader', 'credential-process'])
  t.equal(printed.code, 0, printed.stderr)
  t.match(JSON.parse(printed.stdout), { Version: 1, AccessKeyId: /^ASIA/, AccountId: accounts.data })

  writeFileSync(env.AWS_CONFIG_FILE, '[profile mine]\nregion = eu-west-1\n')
  const configured = await alice.run(['aws', 'configure'], env)
  t.equal(configured.code, 0, configured.stderr)
  t.match(readFileSync(env.AWS_CONFIG_FILE, 'utf8'), /^\[profile mine\]\nregion = eu-west-1\n\n# begin/)
  const aws = async (args: string[], more: NodeJS.ProcessEnv) => {
    const ran = await startCommand('aws', [...args, '--output', 'json'], { ...env, ...more }).ended
    t.equal(ran.code, 0, ran.stderr)
    return JSON.parse(ran.stdout) as CallerIdentity
  }
  const identity = ['sts', 'get-caller-identity']
  const expected = {
    Account: accounts.data,
    Arn: `arn:aws:sts::${accounts.data}:assumed-role/ReportsReader/alice@example.com`,
  }
  t.match(await aws(identity, { AWS_PROFILE: 'sallyport-ReportsReader-readonly' }), expected, 'credential_process')
  const buckets = await aws(['s3api', 'list-buckets'], { AWS_PROFILE: 'sallyport-ReportsReader-readonly' })
  t.match(buckets, { Buckets: [{ Name: 'shop-reports' }, { Name: 'shop-exports' }] })

  const exec = await alice.run(['aws', 'ReportsReader', 'exec', '--', 'aws', ...identity, '--output', 'json'], env)
  t.equal(exec.code, 0, exec.stderr)
  t.match(JSON.parse(exec.stdout), expected, 'exec')

  const serving = alice.start(['aws', 'ReportsReader', 'serve', '--imds', '--json'], env)
  await serving.prints(/\{.*\}\n/)
  const served = JSON.parse(serving.stdout) as { variables: Record<string, string>; imdsUrl: string }
  t.match(await aws(identity, served.variables), expected, 'container endpoint')
  const imds = { AWS_EC2_METADATA_DISABLED: 'false', AWS_EC2_METADATA_SERVICE_ENDPOINT: served.imdsUrl }
  t.match(await aws(identity, imds), expected, 'IMDSv2')
  serving.child.kill('SIGINT')
  t.equal((await serving.ended).code, 0)
  t.equal(stsCalls(company, 'ReportsReader').length, 1, 'all of them cost one call of STS')
})
