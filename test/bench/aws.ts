/**
 * Roles for AWS tools: what a helper costs beside an empty Node program, how often STS is called when two hundred ask at once,
 * how fast `aws serve` answers, and what the daemon holds with clients for fifty accounts. The built program is measured, as
 * it is installed.
 */
import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ConfigFile } from '../../src/config/schema.ts'
import type { Role } from '../sandbox/aws/world.ts'
import { commandsOf, startCommand } from '../sandbox/commands.ts'
import { type RunningDaemon, startDaemon } from '../sandbox/daemon.ts'
import { accounts, allow, arns, externalId, policy } from '../sandbox/default-world.ts'
import { createPerson, type Person } from '../sandbox/person.ts'
import { type Sandbox, startSandbox } from '../sandbox/sandbox.ts'
import { type BenchOptions, gate, median, medianRatio, type Row } from './rows.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const main = path.join(root, 'dist/src/main.js')
const helpers = 200
const accountCount = 50
const lowest = constants.priority.PRIORITY_LOW
const bench = 'aws'

export async function run(options: BenchOptions): Promise<Row[]> {
  options.note('building')
  const built = spawnSync('npm', ['run', '--silent', 'build'], { cwd: root, encoding: 'utf8' })
  if (built.status !== 0) throw new Error(`the build failed: ${built.stdout}${built.stderr}`)
  await using closing = new AsyncDisposableStack()
  options.note('starting the sandbox and the broker')
  const sandbox = await startSandbox()
  closing.defer(() => sandbox.close())
  addAccounts(sandbox)
  const daemon = await startDaemon(sandbox, { overrides: overrides() })
  closing.defer(async () => void (await daemon.stop()))
  const house = await enter(sandbox, daemon)
  const before = residentMb(daemon)
  return [
    ...(await startUp(house, options)),
    ...(await storm(house, options)),
    await serving(house, options),
    await memory(house, before, options),
  ]
}

interface House {
  readonly sandbox: Sandbox
  readonly daemon: RunningDaemon
  readonly alice: Person
  readonly bob: Person
  readonly env: NodeJS.ProcessEnv
}

async function enter(sandbox: Sandbox, daemon: RunningDaemon): Promise<House> {
  const [alice, bob] = [createPerson('alice'), createPerson('bob')]
  for (const person of [alice, bob]) await person.signIn(`${daemon.url}/login`)
  const commands = commandsOf('alice', { dir: daemon.dir, url: daemon.url })
  const { code, stderr } = await commands.run(['login'])
  if (code !== 0) throw new Error(stderr)
  const house = { sandbox, daemon, alice, bob, env: commands.env }
  await grant(house, `iam-role/${accounts.data}/ReportsReader`)
  return house
}

/** A helper that finds everything in the broker's memory, and a program that does nothing, in turns. */
async function startUp(house: House, { rounds, note }: BenchOptions): Promise<Row[]> {
  const ours: number[] = []
  const empty: number[] = []
  await helper(house)
  for (let round = 0; round < rounds * 4; round++) {
    note(`credential-process, ${round + 1} of ${rounds * 4}`)
    ours.push(await timed(() => helper(house)))
    empty.push(await timed(() => program(process.execPath, ['-e', ''], house.env)))
  }
  const ratio = medianRatio(ours, empty)
  return [
    { bench, case: 'empty Node program', unit: 'ms', value: median(empty) },
    {
      bench,
      case: 'credential-process from cache',
      unit: 'ms',
      value: median(ours),
      peer: 'an empty Node program',
      ratio,
      ...gate(ratio, 3, 'less'),
    },
  ]
}

async function storm(house: House, { note }: BenchOptions): Promise<Row[]> {
  const role = `iam-role/${accounts.data}/Deployer`
  await grant(house, role)
  note(`${helpers} helpers at once`)
  const count = () => house.sandbox.aws.calls.filter(({ parameters }) => parameters.RoleArn === arns.deploy).length
  const before = count()
  const took = await timed(async () => {
    // They yield to the doubles, which share the two cores: a double that starves makes the SDK try again.
    await Promise.all(Array.from({ length: helpers }, () => helper(house, role, lowest)))
  })
  const calls = count() - before
  return [
    {
      bench,
      case: `STS calls for ${helpers} helpers at once`,
      unit: 'calls',
      value: calls,
      better: 'less',
      budget: 1,
      ok: calls === 1,
    },
    { bench, case: 'the same: processes served', unit: 'per s', value: (helpers * 1000) / took },
  ]
}

async function serving(house: House, { seconds, note }: BenchOptions): Promise<Row> {
  note('aws serve')
  const running = startCommand(process.execPath, [main, 'aws', 'serve', 'ReportsReader', '--json'], house.env)
  await running.prints(/\{.*\}\n/)
  const { variables } = JSON.parse(running.stdout) as { variables: Record<string, string> }
  const url = variables.AWS_CONTAINER_CREDENTIALS_FULL_URI ?? ''
  const headers = { authorization: variables.AWS_CONTAINER_AUTHORIZATION_TOKEN ?? '' }
  const until = performance.now() + seconds * 1000
  let served = 0
  const ask = async () => {
    while (performance.now() < until) {
      const response = await fetch(url, { headers })
      await response.arrayBuffer()
      if (!response.ok) throw new Error(`aws serve answered ${response.status}`)
      served++
    }
  }
  await Promise.all(Array.from({ length: 8 }, ask))
  running.child.kill('SIGINT')
  await running.ended
  return { bench, case: 'aws serve, 8 connections', unit: 'credentials per s', value: served / seconds }
}

async function memory(house: House, before: number, { note }: BenchOptions): Promise<Row> {
  for (let i = 0; i < accountCount; i++) {
    note(`account ${i + 1} of ${accountCount}`)
    const resource = `iam-role/${accountId(i)}/Bench`
    await grant(house, resource)
    await call(house.alice, house, '/api/v1/aws/credentials', { resource, level: 'full' })
  }
  const after = residentMb(house.daemon)
  const peer = 'before the first call'
  return {
    bench,
    case: `daemon with clients for ${accountCount} accounts`,
    unit: 'MB',
    value: after,
    peer,
    ratio: after / before,
  }
}

const accountId = (i: number) => String(700_000_000_000 + i)

/** A spoke and a role in each. */
function addAccounts({ aws }: Sandbox): void {
  for (let i = 0; i < accountCount; i++) {
    const spoke = `arn:aws:iam::${accountId(i)}:role/sallyport/SallyportConnect`
    const trust = (principal: string, condition: object): Role['trust'] =>
      policy(
        { Effect: 'Allow', Principal: { AWS: principal }, Action: 'sts:AssumeRole', Condition: condition },
        { Effect: 'Allow', Principal: { AWS: principal }, Action: ['sts:TagSession', 'sts:SetSourceIdentity'] },
      )
    const common = { maxSessionSeconds: 3600, tags: {} }
    aws.world.roles.push(
      {
        ...common,
        arn: spoke,
        roleId: `AROASPOKE${i}`,
        trust: trust(arns.hub, { StringEquals: { 'sts:ExternalId': externalId } }),
        policies: [allow(['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'], '*')],
      },
      {
        ...common,
        arn: `arn:aws:iam::${accountId(i)}:role/Bench`,
        roleId: `AROABENCH${i}`,
        trust: trust(spoke, { StringLike: { 'aws:RequestTag/sallyport:grant': 'grt_*' } }),
        policies: [],
      },
    )
  }
}

function overrides() {
  const ids = Array.from({ length: accountCount }, (_, i) => accountId(i))
  const roles = [`iam-role/${accounts.data}/ReportsReader`, ...ids.map((id) => `iam-role/${id}/Bench`)]
  const rule = {
    name: 'everything',
    who: { groups: ['engineering'] },
    what: { kinds: ['iam-role'] },
    levels: ['full'],
    max_duration: '8h',
    approval: { stages: [{ any_of: ['group:database-owners'] }] },
  }
  return {
    aws: { accounts: Object.fromEntries([accounts.data, ...ids].map((id) => [id, {}])) },
    resources: [...roles.map((id) => ({ id })), { id: `iam-role/${accounts.data}/Deployer`, role: arns.deploy }],
    levels: [{ for: { kinds: ['iam-role'] }, full: {} }],
    access: [rule],
  } as unknown as { readonly [K in keyof ConfigFile]?: Partial<ConfigFile[K]> }
}

async function grant(house: House, resource: string): Promise<void> {
  const ask = { resource, level: 'full', durationMs: 3_600_000, reason: 'bench' }
  const { request } = await call<{ request: { id: string } }>(house.alice, house, '/api/v1/requests', ask)
  const shown = await house.bob.fetch(`${house.daemon.url}/api/v1/requests/${request.id}`)
  const { request: seen } = (await shown.json()) as { request: { digest: string } }
  await call(house.bob, house, `/api/v1/requests/${request.id}/approve`, { digest: seen.digest })
}

async function call<T>(person: Person, { daemon }: House, where: string, body: object): Promise<T> {
  const response = await person.fetch(`${daemon.url}${where}`, {
    method: 'POST',
    headers: { origin: daemon.url, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${where}: ${response.status} ${await response.text()}`)
  return (await response.json()) as T
}

function helper({ env }: House, role = 'ReportsReader', priority = 0): Promise<void> {
  return program(process.execPath, [main, 'aws', role, 'credential-process'], env, priority)
}

function program(file: string, args: readonly string[], env: NodeJS.ProcessEnv, priority = 0): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, [...args], { env, stdio: ['ignore', 'ignore', 'inherit'] })
    child.once('error', reject)
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${args.join(' ')} ended with ${code}`))))
    if (priority !== 0 && child.pid !== undefined) setPriority(child.pid, priority)
  })
}

async function timed(work: () => Promise<void>): Promise<number> {
  const since = performance.now()
  await work()
  return performance.now() - since
}

function residentMb({ pid }: RunningDaemon): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}
