/**
 * A start on a store as it is after most of a year, beside one on an empty store, and beside that of another checkout if so told:
 * how long until `/readyz` says so, what the work behind it takes, how much memory is in use then, and how long `audit verify` takes.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { copyStore } from '../../src/daemon/copy-store.ts'
import { type RunningDaemon, startDaemon } from '../sandbox/daemon.ts'
import { type DaemonFiles, resourceId } from '../sandbox/daemon-files.ts'
import { accounts, arns, instances } from '../sandbox/default-world.ts'
import { createPerson } from '../sandbox/person.ts'
import { type ConfigOverrides, type Sandbox, startSandbox } from '../sandbox/sandbox.ts'
import { durable, startStoreDatabases } from '../sandbox/store-databases.ts'
import { waitUntil } from '../wait-until.ts'
import { cpuNanoseconds, hasCpuClock } from './cpu.ts'
import { fillStore } from './filled-store.ts'
import { commitOf } from './peers.ts'
import { type BenchOptions, gate, median, medianRatio, type Row } from './rows.ts'

const bench = 'start'
const size = { people: 1000, grants: 10_000, events: 100_000 }
/** Of what the commit before takes. */
const mostOfBefore = 0.5

export interface Figures {
  /** From the start of the process. */
  readonly ready: number
  /** Processor time until nothing is done any more. */
  readonly cpu: number
  readonly memory: number
  readonly verify: number
}

const figures = {
  ready: { name: 'time to ready', unit: 's', isGated: true },
  cpu: { name: 'processor time until at rest', unit: 's', isGated: false },
  memory: { name: 'resident memory at rest', unit: 'MB', isGated: false },
  verify: { name: 'audit verify', unit: 's', isGated: true },
} as const

export interface Subject {
  readonly name: string
  readonly role: 'ours' | 'empty' | 'before'
  /** What both daemons of a comparison start on. */
  readonly store: string
}

interface Started extends Subject {
  readonly files: DaemonFiles
  readonly main?: string
  /** Puts the store where the daemon will find it, as it was filled. */
  place(): Promise<void>
}

export async function run({ rounds, against, note }: BenchOptions): Promise<Row[]> {
  if (!hasCpuClock()) throw new Error('this system has no /proc/PID, by which memory and processor time are read')
  await using closing = new AsyncDisposableStack()
  note(`filling a store with ${size.grants} grants and ${size.events} events`)
  const sandbox = await startSandbox()
  closing.defer(() => sandbox.close())
  const places = await makeStores(sandbox, closing)
  const subjects = places.flatMap((one): Started[] => {
    if (against === undefined || one.role === 'empty') return [one]
    const name = `${one.store}, at ${commitOf(against)}`
    return [one, { ...one, name, role: 'before', main: path.resolve(against, 'src/main.ts') }]
  })
  const results = new Map(subjects.map(({ name }) => [name, [] as Figures[]]))
  for (let round = 0; round < rounds; round += 1)
    for (const subject of round % 2 === 0 ? subjects : subjects.toReversed()) {
      note(`${subject.name}: round ${round + 1} of ${rounds}`)
      results.get(subject.name)?.push(await measure(sandbox, subject))
    }
  return rowsOf(subjects, results)
}

/** @param results the rounds of each, by its name */
export function rowsOf(subjects: readonly Subject[], results: ReadonlyMap<string, readonly Figures[]>): Row[] {
  const names = Object.keys(figures) as (keyof Figures)[]
  const of = (subject: Subject, what: keyof Figures) => (results.get(subject.name) ?? []).map((round) => round[what])
  return subjects.flatMap((subject) =>
    names.flatMap((what): Row[] => {
      const { name, unit, isGated } = figures[what]
      const values = of(subject, what)
      const row = { bench, case: `${subject.name}: ${name}`, unit, value: median(values) }
      if (subject.role !== 'ours') return [row]
      const peers = subjects.filter(
        ({ role, store }) => role === 'empty' || (role === 'before' && store === subject.store),
      )
      const beside = peers.map((peer): Row => {
        const ratio = medianRatio(values, of(peer, what))
        const kept = isGated && peer.role === 'before' ? gate(ratio, mostOfBefore, 'less') : {}
        return { ...row, peer: peer.name, ratio, better: 'less', ...kept }
      })
      return beside.length > 0 ? beside : [row]
    }),
  )
}

async function makeStores(sandbox: Sandbox, closing: AsyncDisposableStack): Promise<Started[]> {
  const empty = await configured(sandbox)
  await (await startDaemon(sandbox, { files: empty })).stop()
  const filled = await configured(sandbox)
  await giveOneGrant(sandbox, filled)
  await fillStore(filled, size)
  return [
    { name: 'empty store', role: 'empty', store: 'empty', files: empty, place: keeperOf(empty) },
    { name: 'SQLite', role: 'ours', store: 'SQLite', files: filled, place: keeperOf(filled) },
    await copyToPostgres(sandbox, filled, closing),
  ]
}

async function configured(sandbox: Sandbox, url?: string): Promise<DaemonFiles> {
  const dir = mkdtempSync(path.join(sandbox.dir, 'start-'))
  const store = { url: url ?? `sqlite:${path.join(dir, 'sallyport.db')}` }
  return await sandbox.writeConfig(dir, { ...overrides(sandbox), store })
}

function overrides({ databases, caFile }: Sandbox): ConfigOverrides {
  const { endpoint } = instances.orders
  const meaning: object = { readonly: { db_user: 'sallyport_ro', databases: ['*'] } }
  return {
    resources: [
      {
        id: resourceId('orders'),
        endpoint,
        port: 5432,
        connect_address: `127.0.0.1:${databases.orders.listenPort}`,
        resource_id: instances.orders.resourceId,
        database: 'orders',
        role: arns.databases,
        ca: caFile,
      },
    ],
    levels: [{ for: { kinds: ['rds-postgres'] }, ...meaning }],
    access: [
      {
        name: 'engineers-measure',
        who: { groups: ['engineering'] },
        what: { accounts: [accounts.data] },
        levels: ['readonly'],
        max_duration: '8h',
      },
    ],
  }
}

async function giveOneGrant(sandbox: Sandbox, files: DaemonFiles): Promise<void> {
  const daemon = await startDaemon(sandbox, { files })
  const alice = createPerson('alice')
  await alice.signIn(`${daemon.url}/login`)
  const body = { resource: 'orders', level: 'readonly', durationMs: 8 * 3_600_000 }
  const headers = { origin: daemon.url, 'content-type': 'application/json' }
  const ask = { method: 'POST', headers, body: JSON.stringify(body) }
  const response = await alice.fetch(`${daemon.url}/api/v1/requests`, ask)
  if (!response.ok) throw new Error(`no grant: ${response.status} ${await response.text()}`)
  await daemon.stop()
}

async function copyToPostgres(sandbox: Sandbox, filled: DaemonFiles, closing: AsyncDisposableStack): Promise<Started> {
  const databases = await startStoreDatabases(durable)
  closing.defer(() => databases.close())
  const url = await databases.create()
  const name = new URL(url).pathname.slice(1)
  const files = await configured(sandbox, url)
  for (const part of ['keys', 'state', 'recordings', 'anchor.jsonl'])
    cpSync(path.join(filled.dir, part), path.join(files.dir, part), { recursive: true })
  await copyStore({ ...files, from: filled.databaseFile }, () => {})
  const query = (sql: string) => databases.server.query('postgres', sql)
  await query(`alter database ${name} rename to filled`)
  const putBack = keeperOf(files)
  const place = async () => {
    await putBack()
    await query(`drop database if exists ${name}`)
    await query(`create database ${name} template filled`)
  }
  return { name: 'PostgreSQL', role: 'ours', store: 'PostgreSQL', files, place }
}

/** Keeps a daemon's folder as it is now. @returns puts it back */
function keeperOf({ dir }: DaemonFiles): () => Promise<void> {
  const kept = `${dir}-kept`
  cpSync(dir, kept, { recursive: true })
  return async () => {
    rmSync(dir, { recursive: true })
    cpSync(kept, dir, { recursive: true })
  }
}

async function measure(sandbox: Sandbox, { files, main, place }: Started): Promise<Figures> {
  await place()
  const since = performance.now()
  const daemon = await startDaemon(sandbox, { files, readyWithinMs: 300_000, ...(main === undefined ? {} : { main }) })
  const ready = (performance.now() - since) / 1000
  try {
    const cpu = await atRest(daemon)
    const memory = residentMegabytes(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))
    return { ready, cpu, memory, verify: await verify(daemon) }
  } finally {
    await daemon.stop()
  }
}

/** What is verified behind the start is done when the process hardly uses the processor any more. @returns seconds it used until then */
async function atRest({ pid }: RunningDaemon): Promise<number> {
  let used = 0
  let quiet = 0
  await waitUntil(
    () => {
      const now = cpuNanoseconds(pid)
      quiet = now - used < 20e6 ? quiet + 1 : 0
      used = now
      return quiet === 3
    },
    'the daemon is at rest',
    300_000,
    250,
  )
  return used / 1e9
}

/** @param status of `/proc/PID/status` */
export function residentMegabytes(status: string): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024
}

/** @returns seconds */
async function verify({ url }: RunningDaemon): Promise<number> {
  const auditor = createPerson('carol')
  await auditor.signIn(`${url}/login`)
  const since = performance.now()
  const signal = AbortSignal.timeout(300_000)
  const response = await auditor.fetch(`${url}/api/v1/audit/verify`, { signal })
  const report = (await response.json()) as { ok?: boolean }
  if (report.ok !== true) throw new Error(`the log does not verify: ${JSON.stringify(report).slice(0, 1000)}`)
  return (performance.now() - since) / 1000
}
