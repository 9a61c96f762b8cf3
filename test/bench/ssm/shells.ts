/**
 * How long a key takes to be on the screen: through the daemon, beside a client that speaks to the same kind of agent without it. Who types, and
 * both agents, are in this thread; those that flood and who is shown it are in another, so that no key waits behind them but in the daemon.
 */
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Terminal } from '../../../proxy/ssm/terminal.ts'
import { channelTicket } from '../../../src/aws/channel-ticket.ts'
import { shellInstance } from '../../sandbox/default-world.ts'
import { spawnGuarded } from '../../sandbox/guarded-process.ts'
import { makeKey, startGateway } from '../../sandbox/ssm/gateway.ts'
import { quietFor } from '../../wait-until.ts'
import { type BenchOptions, gate, median, percentile, type Row } from '../rows.ts'
import { startBareAgent } from './bare-agent.ts'
import { echoShell } from './echo-shell.ts'
import { type Far, startFar } from './far.ts'
import { type BenchShell, openShell } from './open-shell.ts'
import { type ShellBroker, startShellBroker } from './shell-broker.ts'

const floods = 50
/** What the broker may add. */
const mostAddedMs = 5
/** Of an equal share of what all of them are shown. */
const leastShare = 0.5
const everyMs = 10

type Typist = Pick<BenchShell, 'shown' | 'type'>

export async function measureShells({ rounds, seconds, note }: BenchOptions): Promise<Omit<Row, 'bench'>[]> {
  await using closing = new AsyncDisposableStack()
  const broker = await startShellBroker(closing)
  const [direct, shell] = [await openDirect(closing), await broker.open()]
  closing.defer(() => shell.close())
  const quiet: Figures = { alone: [], added: [] }
  const flooded: Figures = { alone: [], added: [] }
  const relayed: Figures = { alone: [], added: [] }
  for (let round = 1; round <= rounds; round += 1) {
    note(`keys, no other shell: round ${round} of ${rounds}`)
    await measure(quiet, direct, shell, seconds)
  }
  note(`opening ${floods} shells that flood`)
  const far = startFar(closing)
  const bare = await openRelayed(far, closing)
  await openFar(broker, far)
  const counts = () => far.ask('shown', { set: 'broker' })
  const shown = Array.from({ length: floods }, () => 0)
  let floodedMs = 0
  for (let round = 1; round <= rounds; round += 1) {
    note(`keys, while ${floods} shells flood: round ${round} of ${rounds}`)
    await far.ask('flood', { set: 'relay' })
    await measure(relayed, direct, bare, seconds)
    await far.ask('flood', { set: 'relay' })
    await far.ask('flood', { set: 'broker' })
    const [before, since] = [await counts(), performance.now()]
    await measure(flooded, direct, shell, seconds)
    floodedMs += performance.now() - since
    for (const [i, bytes] of (await counts()).entries()) shown[i] = (shown[i] ?? 0) + bytes - (before[i] ?? 0)
    await far.ask('flood', { set: 'broker' })
  }
  const total = shown.reduce((sum, bytes) => sum + bytes, 0)
  await far.ask('close', {})
  const share = (Math.min(...shown) * floods) / total
  return [
    ...rowsOf('a key and its echo', quiet),
    ...rowsOf(`the same while ${floods} shells flood`, flooded),
    { case: 'what a bare relay adds while it passes such a flood, p99', unit: 'ms', value: median(relayed.added) },
    { case: 'what those shells are shown meanwhile', unit: 'MB/s', value: total / 1e3 / floodedMs },
    { case: 'the least of them, of an equal share', unit: '', value: share, ...gate(share, leastShare, 'more') },
  ]
}

/** A relay with such a flood of its own; who types there has the other end in this thread. */
async function openRelayed(far: Far, closing: AsyncDisposableStack): Promise<BenchShell> {
  const program = fileURLToPath(new URL('bare-shells.ts', import.meta.url))
  const child = await spawnGuarded({ command: process.execPath, args: [program], stopSignal: 'TERM', env: process.env })
  closing.defer(async () => void (await child.stop()))
  const [port] = await once(child.stdout, 'data')
  const through = (to: number) => `ws://127.0.0.1:${Number(port)}/${to}`
  const farPort = await far.ask('bareAgent', {})
  for (let i = 0; i < floods; i += 1) await far.ask('open', { set: 'relay', url: through(farPort), options: {} })
  const bare = await openShell(new URL(through(await startBareAgent(closing))), {})
  closing.defer(() => bare.close())
  return bare
}

/** Shells whose agents and clients are in the other thread. */
async function openFar({ sandbox, address }: ShellBroker, far: Far): Promise<void> {
  const spec = { target: shellInstance, sessionType: 'Standard_Stream' } as const
  const started = await Promise.all(Array.from({ length: floods }, () => far.ask('start', { spec })))
  const instance = sandbox.aws.world.instances.find(({ id }) => id === shellInstance)
  if (!instance) throw new Error('there is no instance for shells')
  instance.gateway = {
    start: () => started.pop() ?? fail('no session is left'),
    resume: () => fail('they are never resumed'),
    session: () => ({ overAt: null, isAttached: true, terminate: () => {} }),
  }
  for (const _ of [...started]) {
    const { url, options } = address()
    await far.ask('open', { set: 'broker', url: url.href, options })
  }
}

function fail(what: string): never {
  throw new Error(what)
}

interface Figures {
  /** p99 without the broker, milliseconds. */
  readonly alone: number[]
  /** What the broker adds to it. */
  readonly added: number[]
}

function rowsOf(what: string, { alone, added }: Figures): Omit<Row, 'bench'>[] {
  const value = median(added)
  return [
    { case: `${what}, without the broker, p99`, unit: 'ms', value: median(alone) },
    { case: `${what}: what the broker adds, p99`, unit: 'ms', value, ...gate(value, mostAddedMs, 'less') },
  ]
}

/** In turn, so that both meet the same moments of a machine that does other things too. */
async function measure({ alone, added }: Figures, direct: Typist, shell: Typist, seconds: number): Promise<void> {
  const taken = { direct: [] as number[], shell: [] as number[] }
  const until = performance.now() + seconds * 1000
  while (performance.now() < until) {
    taken.direct.push(await echo(direct))
    taken.shell.push(await echo(shell))
  }
  const without = percentile(taken.direct, 0.99)
  alone.push(without)
  added.push(percentile(taken.shell, 0.99) - without)
}

/** @returns milliseconds */
async function echo(typist: Typist): Promise<number> {
  const since = performance.now()
  const shown = typist.shown()
  typist.type('k')
  await shown
  const taken = performance.now() - since
  await quietFor(everyMs, 'people do not type at once')
  return taken
}

async function openDirect(closing: AsyncDisposableStack): Promise<Typist> {
  const gateway = await startGateway()
  closing.defer(() => gateway.close())
  const key = makeKey()
  gateway.keys.push(key)
  const spec = { target: 'i-0123456789abcdef0', sessionType: 'Standard_Stream' } as const
  const { StreamUrl: streamUrl, TokenValue: token = '' } = gateway.start(spec, { shell: echoShell })
  const credentials = { ...key, expiresAt: Date.now() + 3_600_000 }
  const ticket = async () => channelTicket({ streamUrl, token }, gateway.region, credentials)
  const { stream } = new Terminal({ ticket }, { cols: 80, rows: 24 })
  closing.defer(() => void stream.destroy())
  const shown = async () => void (await once(stream, 'data'))
  stream.resume()
  await shown()
  return { shown, type: (text) => void stream.write(text) }
}
