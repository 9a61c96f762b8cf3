import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test, test } from 'tap'
import { isShortRun } from '../long.ts'
import { type Running, startCommand } from '../sandbox/commands.ts'
import { accounts, region } from '../sandbox/default-world.ts'
import { motoMissing, startMoto } from '../sandbox/moto.ts'
import { pythonWith, skipWithout, skipWithoutPython } from '../sandbox/programs.ts'
import { quietFor, waitFor } from '../wait-until.ts'
import { type Company, startCompany } from './company.ts'

// Real tools, in Python for the most part, started again for each way of getting credentials.
t.setTimeout(720_000)

/**
 * Programs that run on while credentials run out and are renewed: boto3, the JS SDK and the aws CLI, by every way in which they
 * can be given some. Daemon, doubles and tools see a time that moves in steps; every one of them must go on without an error.
 */
const movableClock = import.meta.resolve('../sandbox/movable-clock.ts')
const file = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const stepMs = 50 * 60_000
/** How often time moves: credentials live for an hour. */
const renewals = process.env.SALLYPORT_RENEWALS
const steps = Number(renewals ?? (isShortRun ? 1 : 2))
const expected = `arn:aws:sts::${accounts.data}:assumed-role/ReportsReader/alice@example.com`

interface Tool {
  readonly name: string
  readonly running: Running
  /** How it learns that time has moved: a signal to it, to its child, or by the file. */
  readonly clock: 'signal' | 'child' | 'file'
}

/** Which AWS the tools and the daemon speak to. */
interface Backend {
  readonly endpoint: string
  /** Holds how far tools of Python's, and moto, are ahead. */
  readonly aheadFile: string
  readonly folder: string
}

const python = pythonWith('boto3') ?? 'python3'
const isStoreShared = process.env.SALLYPORT_TEST_STORE === 'postgres'
const alone = isStoreShared && 'a daemon an hour ahead of its shared store lets nobody in'
const skip = skipWithout('aws') || skipWithoutPython('boto3') || alone
const clockEnv = { NODE_OPTIONS: `--import ${movableClock}`, SANDBOX_STEP_MS: String(stepMs) }

test('tools go on for longer than their credentials live', { skip }, async (t) => {
  const company = await startCompany({ env: clockEnv })
  t.teardown(() => company.close())
  const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-tools-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const aheadFile = path.join(folder, 'ahead')
  writeFileSync(aheadFile, '0')
  await goOn(t, company, { endpoint: company.sandbox.aws.url, aheadFile, folder })
  const minted = company.sandbox.aws.calls.filter(
    ({ action, parameters }) => action === 'AssumeRole' && parameters.RoleArn?.endsWith('role/ReportsReader'),
  )
  t.ok(minted.every(({ outcome }) => outcome === 'ok'))
  t.ok(minted.length >= steps && minted.length <= steps + 2, `STS was called once for each period: ${minted.length}`)
})

const later = process.env.CI === 'true' && renewals === undefined && 'it runs in .ci/long'

test('the same against moto', { skip: skip || later || motoMissing() }, async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-tools-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const aheadFile = path.join(folder, 'ahead')
  writeFileSync(aheadFile, '0')
  const moto = await startMoto({ PYTHONPATH: file('../sandbox/python'), SANDBOX_AHEAD_FILE: aheadFile })
  t.teardown(() => moto.stop())
  const company = await startCompany({ env: clockEnv, overrides: { aws: { endpoint_url: moto.url } } })
  t.teardown(() => company.close())
  await goOn(t, company, { endpoint: moto.url, aheadFile, folder })
})

async function goOn(t: Test, company: Company, { endpoint, aheadFile, folder }: Backend): Promise<void> {
  const { alice } = company.commands
  const env: NodeJS.ProcessEnv = {
    ...alice.env,
    AWS_ENDPOINT_URL: endpoint,
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
  const serving = alice.start(['aws', 'ReportsReader', 'serve', '--imds', '--json'], env)
  t.teardown(() => serving.child.kill())
  await serving.prints(/\{.*\}\n/)
  const { variables, imdsUrl } = JSON.parse(serving.stdout) as { variables: NodeJS.ProcessEnv; imdsUrl: string }
  const ways = {
    credential_process: { AWS_PROFILE: 'sallyport-ReportsReader-readonly' },
    'container endpoint': variables,
    IMDSv2: { AWS_EC2_METADATA_DISABLED: 'false', AWS_EC2_METADATA_SERVICE_ENDPOINT: imdsUrl },
  }
  const tools = Object.entries(ways).flatMap(([way, more]) => toolsBy(way, { ...env, ...more }))
  const boto3 = [python, file('tools/boto3-tool.py')]
  const node = [process.execPath, '--import', movableClock, file('tools/sdk-tool.ts')]
  tools.push(underExec('boto3 under exec', boto3, env), underExec('JS SDK under exec', node, env))
  t.teardown(() => {
    for (const { running } of tools) running.child.kill()
  })
  const cli = ['--endpoint-url', endpoint, 'sts', 'get-caller-identity', '--query', 'Arn', '--output', 'text']
  for (let step = 0; step <= steps; step++) {
    if (step > 0) await move(company, tools, aheadFile, step)
    const when = `${(step * stepMs) / 60_000} min on`
    for (const { name, running } of tools) t.equal(await ask(running, step + 1), expected, `${name}, ${when}`)
    for (const [way, more] of Object.entries(ways)) {
      const { stdout, stderr } = await startCommand('aws', cli, { ...env, ...more }).ended
      t.equal(stdout.trim(), expected, `aws CLI by ${way}, ${when} ${stderr}`)
    }
    const { stdout, stderr } = await alice.run(['aws', 'ReportsReader', 'exec', '--', 'aws', ...cli], env)
    t.equal(stdout.trim(), expected, `aws CLI under exec, ${when} ${stderr}`)
  }
}

function toolsBy(way: string, env: NodeJS.ProcessEnv): Tool[] {
  const sdk = ['--import', movableClock, file('tools/sdk-tool.ts')]
  return [
    { name: `boto3 by ${way}`, running: start(python, [file('tools/boto3-tool.py')], env), clock: 'file' },
    { name: `JS SDK by ${way}`, running: start(process.execPath, sdk, env), clock: 'signal' },
  ]
}

function underExec(name: string, command: readonly string[], env: NodeJS.ProcessEnv): Tool {
  const args = [file('../../src/main.ts'), 'aws', 'ReportsReader', 'exec', '--', ...command]
  return { name, running: start(process.execPath, args, env), clock: name.startsWith('JS') ? 'child' : 'file' }
}

function start(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Running {
  return startCommand(command, args, env, null)
}

/** One question, and its answer: the line after those of the questions before. */
async function ask(running: Running, count: number): Promise<string> {
  running.child.stdin?.write('who\n')
  const lines = new RegExp(`^(?:.*\\n){${count}}`)
  const answer = () => {
    if (lines.test(running.stdout)) return running.stdout.split('\n')[count - 1] ?? ''
    if (running.child.exitCode !== null) throw new Error(`no answer: ${running.output}`)
    return undefined
  }
  return await waitFor(answer, () => `it answers: ${running.output}`, 60_000)
}

/** The one child that a process has. */
function childOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').at(-1))
}

async function move(company: Company, tools: readonly Tool[], aheadFile: string, step: number): Promise<void> {
  company.sandbox.clock.advance(stepMs)
  company.daemon.signal('SIGUSR2')
  for (const { running, clock } of tools) {
    if (clock === 'signal') running.child.kill('SIGUSR2')
    if (clock === 'child') process.kill(childOf(running.child.pid ?? 0), 'SIGUSR2')
  }
  writeFileSync(aheadFile, String((step * stepMs) / 1000))
  await quietFor(300, 'nobody says when a signal has been seen to')
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
  for (let i = 0; i < 5; i++)
    await Promise.all(Array.from({ length: 100 }, () => company.api('alice', 'POST', '/api/v1/aws/credentials', body)))
  t.pass('more in a minute than other routes allow: a script that calls the aws CLI in a loop is not turned away')
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
  t.equal(entries.filter((line) => line.includes('"handed-out"')).length, 700)
  t.match(
    entries.find((line) => line.includes('"issued"')),
    /"access_key":"ASIA[A-Z2-7]{16}"/,
  )
  t.notMatch(played.stdout, /secret/i)
})
