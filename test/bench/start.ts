/**
 * A start on a store as it is after most of a year, beside one on an empty store, and beside that of another checkout if so told:
 * how long until `/readyz` says so, what the work behind it takes, how much memory is in use then, and how long `audit verify` takes.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { copyStore } from '../../src/daemon/copy-store.ts'
import { type RunningDaemon, startDaemon } from '../sandbox/daemon.ts'
import type { DaemonFiles } from '../sandbox/daemon-files.ts'
import { createPerson } from '../sandbox/person.ts'
import { type ConfigOverrides, type Sandbox, startSandbox } from '../sandbox/sandbox.ts'
import { durable, startStoreDatabases } from '../sandbox/store-databases.ts'
import { waitUntil } from '../wait-until.ts'
import { cpuNanoseconds, hasCpuClock } from './cpu.ts'
import { fillStore } from './filled-store.ts'
import { measuredDatabases } from './measured-databases.ts'
import { residentMegabytes } from './memory.ts'
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

/** What a start on an empty store takes too is no matter of the store: most of it is Node that loads the program. */
type What = keyof Figures | 'added'

const shown: readonly { readonly what: What; readonly name: string; readonly unit: string; readonly isGated?: true }[] =
  [
    { what: 'ready', name: 'time to ready', unit: 's' },
    { what: 'added', name: 'what the store adds to it', unit: 's', isGated: true },
    { what: 'cpu', name: 'processor time until at rest', unit: 's' },
    { what: 'memory', name: 'resident memory at rest', unit: 'MB' },
    { what: 'verify', name: 'audit verify', unit: 's', isGated: true },
  ]

export interface Subject {
  readonly name: string
  readonly store: 'empty' | 'SQLite' | 'PostgreSQL'
  readonly checkout: 'ours' | 'before'
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
    if (against === undefined) return [one]
    const name = `${one.name}, at ${commitOf(against)}`
    return [one, { ...one, name, checkout: 'before', main: path.resolve(against, 'src/main.ts') }]
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
  const rounds = (subject: Subject | undefined) => results.get(subject?.name ?? '') ?? []
  const find = (store: Subject['store'], checkout: Subject['checkout']) =>
    subjects.find((one) => one.store === store && one.checkout === checkout)
  const valuesOf = (subject: Subject, what: What): number[] => {
    if (what !== 'added') return rounds(subject).map((round) => round[what])
    const empty = rounds(find('empty', subject.checkout))
    return rounds(subject).map(({ ready }, i) => ready - (empty[i]?.ready ?? Number.NaN))
  }
  return subjects.flatMap((subject) =>
    shown.flatMap(({ what, name, unit, isGated = false }): Row[] => {
      if (what === 'added' && subject.store === 'empty') return []
      const values = valuesOf(subject, what)
      const row = { bench, case: `${subject.name}: ${name}`, unit, value: median(values) }
      const compared = (peer: Subject): Row => {
        const ratio = medianRatio(values, valuesOf(peer, what))
        const kept = isGated && peer.checkout === 'before' ? gate(ratio, mostOfBefore, 'less') : {}
        return { ...row, peer: peer.name, ratio, better: 'less', ...kept }
      }
      if (subject.checkout === 'before' || subject.store === 'empty') return [row]
      const peers = [what === 'added' ? undefined : find('empty', 'ours'), find(subject.store, 'before')]
      const beside = peers.flatMap((peer) => (peer ? [compared(peer)] : []))
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
    { name: 'empty store', store: 'empty', checkout: 'ours', files: empty, place: keeperOf(empty) },
    { name: 'SQLite', store: 'SQLite', checkout: 'ours', files: filled, place: keeperOf(filled) },
    await copyToPostgres(sandbox, filled, closing),
  ]
}

async function configured(sandbox: Sandbox, url?: string): Promise<DaemonFiles> {
  const dir = mkdtempSync(path.join(sandbox.dir, 'start-'))
  const store = { url: url ?? `sqlite:${path.join(dir, 'sallyport.db')}` }
  return await sandbox.writeConfig(dir, { ...overrides(sandbox), store })
}

function overrides({ databases, caFile }: Sandbox): ConfigOverrides {
  return measuredDatabases({ names: ['orders'], port: databases.orders.listenPort, ca: caFile })
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
  return { name: 'PostgreSQL', store: 'PostgreSQL', checkout: 'ours', files, place }
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
    const memory = residentMegabytes(daemon.pid)
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
