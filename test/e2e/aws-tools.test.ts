import { mkdtempSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'tap'
import { type Running, startCommand } from '../sandbox/commands.ts'
import { accounts, region } from '../sandbox/default-world.ts'
import { skipWithout, skipWithoutPython } from '../sandbox/programs.ts'
import { type Company, startCompany } from './company.ts'

/**
 * Programs that run on while credentials run out and are renewed: boto3, the JS SDK and the aws CLI, by every way in which they
 * can be given some. Daemon, doubles and tools see a time that moves in steps; every one of them must go on without an error.
 */
const movableClock = import.meta.resolve('../sandbox/movable-clock.ts')
const file = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const stepMs = 50 * 60_000
const expected = `arn:aws:sts::${accounts.data}:assumed-role/ReportsReader/alice@example.com`

interface Tool {
  readonly name: string
  readonly running: Running
  /** Sees the moved time by a signal; others by a file. */
  readonly isSignalled: boolean
}

test('tools go on for longer than their credentials live', {
  skip: skipWithout('aws') || skipWithoutPython('boto3'),
}, async (t) => {
  const company = await startCompany({
    env: { NODE_OPTIONS: `--import ${movableClock}`, SANDBOX_STEP_MS: String(stepMs) },
  })
  t.teardown(() => company.close())
  const { alice } = company.commands
  const folder = mkdtempSync(path.join(company.sandbox.dir, 'tools-'))
  const aheadFile = path.join(folder, 'ahead')
  writeFileSync(aheadFile, '0')
  const env: NodeJS.ProcessEnv = {
    ...alice.env,
    AWS_ENDPOINT_URL: company.sandbox.aws.url,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: path.join(folder, 'config'),
    AWS_SHARED_CREDENTIALS_FILE: path.join(folder, 'credentials'),
    AWS_MAX_ATTEMPTS: '1',
    PYTHONPATH: file('../sandbox/python'),
    SANDBOX_AHEAD_FILE: aheadFile,
    SANDBOX_STEP_MS: String(stepMs),
  }
  await company.grant(8 * 3_600_000, 'ReportsReader')
  t.equal((await alice.run(['aws', 'configure'], env)).code, 0)
  const profile = { AWS_PROFILE: 'sallyport-ReportsReader-readonly' }
  const serving = alice.start(['aws', 'ReportsReader', 'serve', '--imds', '--json'], env)
  await serving.prints(/\{.*\}\n/)
  const { variables, imdsUrl } = JSON.parse(serving.stdout) as { variables: NodeJS.ProcessEnv; imdsUrl: string }
  const imds = { AWS_EC2_METADATA_DISABLED: 'false', AWS_EC2_METADATA_SERVICE_ENDPOINT: imdsUrl }
  const ways = { credential_process: profile, 'container endpoint': variables, IMDSv2: imds }

  const tools: Tool[] = Object.entries(ways).flatMap(([way, more]) => [
    {
      name: `boto3 by ${way}`,
      isSignalled: false,
      running: start('python3', [file('tools/boto3-tool.py')], { ...env, ...more }),
    },
    {
      name: `JS SDK by ${way}`,
      isSignalled: true,
      running: start(process.execPath, ['--import', movableClock, file('tools/sdk-tool.ts')], { ...env, ...more }),
    },
  ])
  const main = file('../../src/main.ts')
  tools.push({
    name: 'boto3 under exec',
    isSignalled: false,
    running: start(
      process.execPath,
      [main, 'aws', 'ReportsReader', 'exec', '--', 'python3', file('tools/boto3-tool.py')],
      env,
    ),
  })
  t.teardown(() => {
    for (const { running } of tools) running.child.kill()
    serving.child.kill()
  })
  const cli = async (more: NodeJS.ProcessEnv) =>
    await startCommand('aws', ['sts', 'get-caller-identity', '--query', 'Arn', '--output', 'text'], { ...env, ...more })
      .ended

  for (let step = 0; step <= 4; step++) {
    if (step > 0) await move(company, tools, aheadFile, step)
    for (const { name, running } of tools)
      t.equal(await ask(running, step + 1), expected, `${name}, ${step * 50} min on`)
    for (const [way, more] of Object.entries(ways)) {
      const { stdout, stderr } = await cli(more)
      t.equal(stdout.trim(), expected, `aws CLI by ${way}, ${step * 50} min on ${stderr}`)
    }
  }
  const minted = company.sandbox.aws.calls.filter(
    ({ action, parameters }) => action === 'AssumeRole' && parameters.RoleArn?.endsWith('role/ReportsReader'),
  )
  t.ok(minted.every(({ outcome }) => outcome === 'ok'))
  t.ok(minted.length >= 4 && minted.length <= 6, `STS was called once for each period: ${minted.length}`)
})

function start(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Running {
  return startCommand(command, args, env, null)
}

/** One question, and its answer: the line after those of the questions before. */
async function ask(running: Running, count: number): Promise<string> {
  running.child.stdin?.write('who\n')
  const lines = new RegExp(`^(?:.*\\n){${count}}`)
  const deadline = Date.now() + 15_000
  while (!lines.test(running.stdout)) {
    if (Date.now() > deadline || running.child.exitCode !== null) throw new Error(`no answer: ${running.output}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return running.stdout.split('\n')[count - 1] ?? ''
}

async function move(company: Company, tools: readonly Tool[], aheadFile: string, step: number): Promise<void> {
  company.sandbox.clock.advance(stepMs)
  company.daemon.signal('SIGUSR2')
  for (const { running, isSignalled } of tools) if (isSignalled) running.child.kill('SIGUSR2')
  writeFileSync(aheadFile, String((step * stepMs) / 1000))
  await new Promise((resolve) => setTimeout(resolve, 300)) // nobody says when a signal has been seen to
}

test('two hundred who ask at once cost one call of STS', async (t) => {
  const company = await startCompany()
  t.teardown(() => company.close())
  await company.grant(3_600_000, 'Deployer')
  const body = { resource: 'Deployer', level: 'readonly', tool: 'helper' }
  const answers = await Promise.all(
    Array.from({ length: 200 }, () =>
      company.api<{ accessKeyId: string }>('alice', 'POST', '/api/v1/aws/credentials', body),
    ),
  )
  t.equal(new Set(answers.map(({ accessKeyId }) => accessKeyId)).size, 1)
  const calls = company.sandbox.aws.calls.filter(({ action }) => action === 'AssumeRole')
  t.same(
    calls.map(({ parameters }) => parameters.RoleArn?.split('/').at(-1)),
    ['SallyportHub', 'SallyportConnect', 'Deployer'],
    'one for each hop',
  )
  const { assumeRole } = calls.at(-1) ?? {}
  t.match(assumeRole, {
    sessionName: 'alice@example.com',
    sourceIdentity: 'alice@example.com',
    tags: {
      'sallyport:user': 'alice@example.com',
      'sallyport:grant': /^grt_/,
      'sallyport:session': /^ses_/,
      'sallyport:request': /^req_/,
    },
    transitiveTagKeys: ['sallyport:grant', 'sallyport:session'],
    policyArns: ['arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess'],
  })
  const { sessions } = await company.api<{ sessions: { id: string; kind: string }[] }>(
    'carol',
    'GET',
    '/api/v1/sessions?open=true',
  )
  t.equal(sessions.length, 1)
  await company.api('dave', 'POST', `/api/v1/sessions/${sessions[0]?.id}/kill`, {})
  const played = await company.commands.carol.run(['recordings', 'play', sessions[0]?.id ?? '', '--json'])
  t.equal(played.code, 0, played.stderr)
  const entries = played.stdout.trim().split('\n')
  t.equal(entries.filter((line) => line.includes('"handed-out"')).length, 200)
  t.match(
    entries.find((line) => line.includes('"issued"')),
    /"access_key":"ASIA[A-Z2-7]{16}"/,
  )
  t.notMatch(played.stdout, /secret/i)
})
