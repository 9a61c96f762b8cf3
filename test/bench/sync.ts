/**
 * The sync engine over 1,000 accounts in 17 regions with 200,000 resources, on a clock on which hours pass in seconds: how many calls a first
 * reading and a day make against the fewest that there can be, how long the first takes against what the paces of AWS allow, what is written,
 * and how much memory it takes. Then, in real time, how soon a change that an event hints at is in the catalog, and how long a page takes.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Sync } from '../../src/inventory/sync.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { type BenchOptions, gate, type Row } from './rows.ts'
import { measureCatalog } from './sync/catalog.ts'
import { accounts, fewestADay, fewestAtFirst, SimulatedAws } from './sync/estate.ts'
import { Kept } from './sync/kept.ts'
import { VirtualTime } from './sync/virtual-time.ts'

const bench = 'sync'
const atOnce = 64
const hour = 3_600_000
const settings = { organization: true, import: 'all', everyMs: hour } as const

export async function run({ note }: BenchOptions): Promise<Row[]> {
  const time = new VirtualTime()
  const aws = new SimulatedAws(time)
  const kept = new Kept()
  const before = heapMegabytes()
  const sync = open(time, aws, kept)
  const { signal } = new AbortController()
  const measure = async (work: () => Promise<unknown>) => {
    const [calls, startedAt] = [aws.calls, time.now()]
    await work()
    return { calls: aws.calls - calls, seconds: (time.now() - startedAt) / 1000 }
  }
  const steps = async (count: number) => {
    for (let i = 0; i < count; i += 1) {
      time.pass(hour / 4)
      await time.until(sync.run(signal))
    }
  }
  note('the first reading')
  const first = await measure(() => time.until(sync.run(signal)))
  const fewest = fewestAtFirst(atOnce)
  const rows = [
    row('first reading: calls', 'calls', first.calls),
    bounded('first reading: calls ÷ fewest', '×', first.calls / fewest.calls, 1.2),
    row('first reading: time', 's', first.seconds),
    bounded('first reading: time ÷ what the paces allow', '×', first.seconds / fewest.seconds, 1.2),
    row('first reading: resources', 'rows', kept.size),
    row('first reading: events', 'events', kept.writes.events),
    row('first reading: rows of accounts', 'writes', kept.writes.accounts),
  ]
  note('what is empty is found empty once more')
  await steps(4 * 13)
  note('a day on which nothing changes')
  const written = { ...kept.writes }
  const day = await measure(() => steps(4 * 24))
  rows.push(
    row('a day: calls', 'calls', day.calls),
    bounded('a day: calls ÷ fewest', '×', day.calls / fewestADay(hour), 1.2),
    bounded('a day: writes of resources', 'writes', kept.writes.rows - written.rows, 0),
    bounded('a day: events', 'events', kept.writes.events - written.events, 0),
    row('a day: rows of accounts, an hour', 'writes', (kept.writes.accounts - written.accounts) / 24),
    row('memory: schedule, records and rows', 'MB', heapMegabytes() - before),
  )
  note('200,000 resources in the catalog')
  return [...rows, ...(await measureCatalog()).map(({ name, unit, value, most }) => bounded(name, unit, value, most))]
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

function bounded(name: string, unit: string, value: number, most: number): Row {
  return { ...row(name, unit, value), ...gate(value, most, 'less') }
}

function open(time: VirtualTime, aws: SimulatedAws, kept: Kept): Sync {
  const { store, accountStore, audit, transact } = kept
  const claim = () => ({}) as ReturnType<typeof store.removing>
  const known = accounts.map((account) => ({ account, partition: 'aws', isActive: true }))
  return new Sync(
    {
      ...{ store, accountStore, audit, transact, clock: time },
      leader: { isLeader: true, check: () => {}, claim },
      logger: createLogger({ level: 'silent' }),
      metrics: createMetrics(),
      discoveries: aws.discoveries(),
      hub: { partition: 'aws', account: accounts[0] ?? '', region: null },
      regionsInUse: [],
      accounts: () => known,
      enter: (place) => aws.enter(place),
      regions: (place) => aws.regions(place),
    },
    settings,
  )
}
