/**
 * Ten thousand grants of permission sets and groups that begin and end within the hour, and the same in three, on a clock on which hours pass in
 * seconds, with the limits of Identity Center: how many calls they take against the fewest that there can be for what is given, how many are
 * given and how long they wait against what the limits force, that AWS has to refuse none, and that removals go first.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { identityCenterPace } from '../../src/aws/identity-center/identity-center-callers.ts'
import { keyOf, type Membership } from '../../src/pushed/membership.ts'
import type { Push, Want } from '../../src/pushed/push.ts'
import { Reconciler } from '../../src/pushed/reconciler.ts'
import { type Claim, claimsIn, workMs } from './push/claims.ts'
import { fewest, type Played, playIdeal } from './push/ideal.ts'
import { SimulatedCenter } from './push/simulated-center.ts'
import { type BenchOptions, gate, type Row } from './rows.ts'
import { VirtualTime } from './sync/virtual-time.ts'

const bench = 'push'
const grants = 10_000
const [second, minute, hour] = [1000, 60_000, 3_600_000]
/** That the broker takes of AWS's ten. */
const places = 8

export async function run({ note }: BenchOptions): Promise<Row[]> {
  const before = heapMegabytes()
  const rows = [
    ...(await play('in an hour', hour - 15 * minute, note)),
    ...(await play('in three hours', 3 * hour - 15 * minute, note)),
  ]
  return [...rows, row('memory', 'MB', heapMegabytes() - before)]
}

async function play(name: string, spreadMs: number, note: BenchOptions['note']): Promise<Row[]> {
  const time = new VirtualTime()
  const center = new SimulatedCenter(time)
  const startedAt = time.now()
  const claims = claimsIn(grants, spreadMs, startedAt)
  const pushes = new Map<string, Push>()
  const reconciler = openReconciler(time, center, claims, pushes)
  const { signal } = new AbortController()
  const edges = claims.flatMap(({ startsAt, endsAt }) => [startsAt, endsAt]).sort((a, b) => a - b)
  const isOver = () => time.now() > (edges.at(-1) ?? 0) && [...pushes.values()].every(({ state }) => state === 'gone')
  const drive = async () => {
    for (let [nextAt, edge, passes] = [0, 0, 0]; !isOver(); passes += 1) {
      while ((edges[edge] ?? Number.POSITIVE_INFINITY) <= time.now()) edge += 1
      const at = Math.min(edges[edge] ?? Number.POSITIVE_INFINITY, nextAt, time.now() + 30 * second)
      await time.after(Math.max(second, at - time.now()))
      const pass = await reconciler.pass(signal)
      if (pass.errors.length > 0) throw pass.errors[0]
      nextAt = pass.nextAt ?? Number.POSITIVE_INFINITY
      if (passes % 500 === 0) note(`${name}: minute ${Math.round((time.now() - startedAt) / minute)}`)
    }
  }
  await time.until(drive())
  const limits = { perSecond: identityCenterPace.perSecond, atOnce: places, workMs }
  return figures(name, center, claims, playIdeal(claims, limits))
}

function figures(name: string, center: SimulatedCenter, claims: readonly Claim[], ideal: Played): Row[] {
  const { calls, refused, seen } = center
  const at = (to: 'present' | 'absent') =>
    new Map(seen.filter((one) => one.to === to).map((one) => [one.key, one.at] as const))
  const [there, gone] = [at('present'), at('absent')]
  const given = claims.filter(({ key }) => there.has(key))
  const least = given.reduce((sum, { membership }) => {
    const { create, remove } = fewest[membership.account === null ? 'group' : 'set']
    return sum + create + remove
  }, 0)
  const made = Object.values(calls).reduce((sum, count) => sum + count, 0)
  const waits = given.map(({ key, startsAt }) => (there.get(key) ?? Number.NaN) - startsAt)
  const late = given.map(({ key, endsAt }) => (gone.get(key) ?? Number.NaN) - endsAt)
  return [
    row(`${name}: calls`, 'calls', made),
    bounded(`${name}: calls ÷ fewest`, '×', made / least, 1.2, 'less'),
    row(`${name}: given`, 'grants', given.length),
    bounded(`${name}: given ÷ what the limits allow`, '×', given.length / ideal.waits.length, 0.8, 'more'),
    ...waiting(`${name}: a grant waits`, waits),
    ...waiting(`${name}: a grant waits at the limits`, ideal.waits),
    ...waiting(`${name}: a removal is late`, late),
    ...waiting(`${name}: a removal is late at the limits`, ideal.late),
    bounded(`${name}: a removal is late, 99 %, at most`, 's', quantile(late, 0.99) / second, 60, 'less'),
    bounded(`${name}: what AWS refuses`, 'calls', refused.throttled + refused.tooMany + refused.conflict, 0, 'less'),
  ]
}

function waiting(name: string, ms: readonly number[]): Row[] {
  return [
    row(`${name}, median`, 's', quantile(ms, 0.5) / second),
    row(`${name}, 99 %`, 's', quantile(ms, 0.99) / second),
  ]
}

function openReconciler(
  time: VirtualTime,
  center: SimulatedCenter,
  claims: readonly Claim[],
  pushes: Map<string, Push>,
): Reconciler {
  const byKey = new Map(claims.map((claim) => [claim.key, claim]))
  const isLive = ({ startsAt, endsAt }: Claim) => startsAt <= time.now() && time.now() < endsAt
  const toWant = ({ key, membership, endsAt, id }: Claim): [string, Want] => [
    key,
    { membership, until: endsAt, grants: [id] },
  ]
  const isWanted = (membership: Membership) => {
    const claim = byKey.get(keyOf(membership))
    return claim !== undefined && isLive(claim)
  }
  return new Reconciler({
    books: {
      open: async () => [...pushes.values()].filter(({ state }) => state !== 'gone'),
      find: async (key) => pushes.get(key),
      write: async (next) => void pushes.set(keyOf(next.membership), next),
    },
    wants: async () => ({ byKey: new Map(claims.filter(isLive).map(toWant)), unclear: new Set() }),
    isAllowed: async ({ membership }) => isWanted(membership),
    isWanted: async (membership) => isWanted(membership),
    pusherOf: (kind) => ({ ...center.pusher, firstPollMs: kind === 'permission-set' ? 2 * second : 0 }),
    isForeign: async () => false,
    checkLeader: () => {},
    now: () => time.now(),
    mostRemovals: () => grants,
  })
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** What is in use, without garbage. */
function heapMegabytes(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage().heapUsed / 2 ** 20
}

function row(name: string, unit: string, value: number): Row {
  return { bench, case: name, unit, value }
}

function bounded(name: string, unit: string, value: number, limit: number, better: 'less' | 'more'): Row {
  return { ...row(name, unit, value), ...gate(value, limit, better) }
}
