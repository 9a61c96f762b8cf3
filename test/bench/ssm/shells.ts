/** How long a key takes to be on the screen: through the daemon, beside a client that speaks to the same kind of agent without it. */
import { once } from 'node:events'
import { Terminal } from '../../../proxy/ssm/terminal.ts'
import { channelTicket } from '../../../src/aws/channel-ticket.ts'
import { makeKey, startGateway } from '../../sandbox/ssm/gateway.ts'
import { quietFor } from '../../wait-until.ts'
import { type BenchOptions, gate, median, percentile, type Row } from '../rows.ts'
import { type BenchShell, echoShell, floodKey, startShellBroker } from './shell-broker.ts'

const floods = 50
/** What the broker may add. */
const mostAddedMs = 5
/** Of an equal share of what all of them are shown. */
const leastShare = 0.5
const everyMs = 10

type Typist = Pick<BenchShell, 'shown' | 'type'>

export async function measureShells({ rounds, seconds, note }: BenchOptions): Promise<Omit<Row, 'bench'>[]> {
  await using closing = new AsyncDisposableStack()
  const { open } = await startShellBroker(closing)
  const [direct, shell] = [await openDirect(closing), await open()]
  closing.defer(() => shell.close())
  const quiet: Figures = { alone: [], added: [] }
  const flooded: Figures = { alone: [], added: [] }
  for (let round = 1; round <= rounds; round += 1) {
    note(`keys, no other shell: round ${round} of ${rounds}`)
    await measure(quiet, direct, shell, seconds)
  }
  note(`opening ${floods} shells that flood`)
  const others = await Promise.all(Array.from({ length: floods }, open))
  for (const one of others) one.type(floodKey)
  const counts = () => others.map(({ received }) => received())
  const [before, since] = [counts(), performance.now()]
  for (let round = 1; round <= rounds; round += 1) {
    note(`keys, while ${floods} shells flood: round ${round} of ${rounds}`)
    await measure(flooded, direct, shell, seconds)
  }
  const shown = counts().map((bytes, i) => bytes - (before[i] ?? 0))
  const total = shown.reduce((sum, bytes) => sum + bytes, 0)
  const megabytes = total / 1e6 / ((performance.now() - since) / 1000)
  for (const one of others) one.close()
  const share = (Math.min(...shown) * floods) / total
  return [
    ...rowsOf('a key and its echo', quiet),
    ...rowsOf(`the same while ${floods} shells flood`, flooded),
    { case: 'what those are shown meanwhile', unit: 'MB/s', value: megabytes },
    { case: 'the least of them, of an equal share', unit: '', value: share, ...gate(share, leastShare, 'more') },
  ]
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
