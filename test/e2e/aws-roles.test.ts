import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t, { test } from 'tap'
import { startCommand } from '../sandbox/commands.ts'
import { accounts, region } from '../sandbox/default-world.ts'
import { skipWithout } from '../sandbox/programs.ts'
import { startCompany } from './company.ts'

/** Stock tools under roles of the sandbox's, by every way in which they are given credentials. */
interface CallerIdentity {
  readonly Arn: string
  readonly Account: string
}

const company = await startCompany()
t.teardown(() => company.close())

const env = {
  ...company.commands.alice.env,
  AWS_ENDPOINT_URL: company.sandbox.aws.url,
  AWS_REGION: region,
  AWS_DEFAULT_REGION: region,
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_CONFIG_FILE: path.join(company.daemon.dir, 'aws-config'),
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
}

const stsCalls = (roleName: string) =>
  company.sandbox.aws.calls.filter((call) => call.parameters.RoleArn?.endsWith(`/${roleName}`) && call.outcome === 'ok')

test('aws CLI by credential_process, exec, container endpoint and IMDSv2', { skip: skipWithout('aws') }, async (t) => {
  const { alice } = company.commands
  const toSandbox = ['--endpoint-url', company.sandbox.aws.url]

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
    const ran = await startCommand('aws', [...toSandbox, ...args, '--output', 'json'], { ...env, ...more }).ended
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

  const exec = await alice.run(
    ['aws', 'ReportsReader', 'exec', '--', 'aws', ...toSandbox, ...identity, '--output', 'json'],
    env,
  )
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
  t.equal(stsCalls('ReportsReader').length, 1, 'all of them cost one call of STS')
})

test('exec: whatever else could give credentials is kept from the tools', { skip: skipWithout('aws') }, async (t) => {
  const { id } = await company.grant(3_600_000, 'Deployer')
  t.teardown(() => company.api('bob', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'done' }))
  const { AWS_REGION: _, AWS_DEFAULT_REGION: __, ...withoutRegion } = env
  const keys = 'aws_access_key_id = AKIASOMEBODYELSE0001\naws_secret_access_key = x\n'
  const config = `[default]\nregion = eu-west-1\n${keys}\n[profile mine]\nregion = us-east-1\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = default\n`
  writeFileSync(env.AWS_CONFIG_FILE, config)
  const credentials = path.join(company.daemon.dir, 'aws-credentials')
  writeFileSync(credentials, `[default]\n${keys}`)
  const theirs = {
    ...withoutRegion,
    AWS_SHARED_CREDENTIALS_FILE: credentials,
    AWS_PROFILE: 'mine',
    AWS_ACCESS_KEY_ID: 'AKIASOMEBODYELSE0002',
    AWS_SECRET_ACCESS_KEY: 'x',
  }
  const { alice } = company.commands
  const exec = (command: string[], more: NodeJS.ProcessEnv) =>
    alice.run(['aws', 'Deployer', 'exec', '--', 'aws', '--endpoint-url', company.sandbox.aws.url, ...command], more)
  const who = await exec(['sts', 'get-caller-identity', '--query', 'Arn', '--output', 'text'], theirs)
  t.equal(who.stdout.trim(), `arn:aws:sts::${accounts.data}:assumed-role/Deployer/alice@example.com`, who.stderr)
  t.equal(
    (await exec(['configure', 'get', 'region'], theirs)).stdout.trim(),
    'us-east-1',
    'the rest of the profile stays',
  )
  const { AWS_PROFILE: ___, ...byDefault } = theirs
  t.equal((await exec(['configure', 'get', 'region'], byDefault)).stdout.trim(), 'eu-west-1')
  t.equal(readFileSync(env.AWS_CONFIG_FILE, 'utf8'), config, 'their own files are as they were')

  const failing = await alice.run(
    ['aws', 'Deployer', 'exec', '--', process.execPath, '-e', 'process.exit(7)'],
    withoutRegion,
  )
  t.equal(failing.code, 7, "the command's own exit code")
  const missing = await alice.run(['aws', 'Deployer', 'exec', '--', 'no-such-program'], withoutRegion)
  t.equal(missing.code, 1)
  t.match(missing.stderr, /no-such-program is not on the PATH/)
})

test('exec: a tool that asks after the grant has ended is told, and so is whoever started it', async (t) => {
  const grant = await company.grant(3_600_000, 'Deployer')
  const ask = `
    const { AWS_CONTAINER_CREDENTIALS_FULL_URI: url, AWS_CONTAINER_AUTHORIZATION_TOKEN: authorization } = process.env
    process.stdout.write('ready\\n')
    setInterval(async () => {
      const response = await fetch(url, { headers: { authorization } })
      if (response.ok) return
      console.log(response.status, await response.text())
      process.exit(3)
    }, 50)`
  const running = company.commands.alice.start(['aws', 'Deployer', 'exec', '--', process.execPath, '-e', ask])
  await running.prints(/ready/)
  await company.api('bob', 'POST', `/api/v1/grants/${grant.id}/revoke`, { reason: 'incident 42' })
  const decided = Date.now()
  const { code, stdout, stderr, endedAt } = await running.ended
  t.equal(code, 3)
  t.match(stdout, /403 .*incident 42/)
  t.match(stderr, /incident 42/)
  t.ok(endedAt - decided < 2000, `${endedAt - decided} ms, the end of two processes included`)
})
