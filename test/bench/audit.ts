/**
 * Appending to the audit log, by one writer and by several at once: how many a second, how long one takes, and how long the event
 * loop is kept from its other work meanwhile. Beside it one fsync of a small write to the same disk, which is what an append cannot
 * do without.
 */
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Worker } from 'node:worker_threads'
import type { AuditEvent } from '../../src/audit/audit.ts'
import { createAuditLog } from '../../src/audit/create-audit.ts'
import type { Mark } from '../../src/audit/mark/mark.ts'
import { readPostgresUrl } from '../../src/config/store-url.ts'
import { openKeyring } from '../../src/store/keyring.ts'
import type { StorePlace } from '../../src/store/place.ts'
import type { SqliteCall } from '../../src/store/sqlite/sqlite-worker.ts'
import { type Db, openStore } from '../../src/store/store.ts'
import { systemClock } from '../../src/telemetry/clock.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { durable, startStoreDatabases } from '../sandbox/store-databases.ts'
import { markIn } from '../src/audit/mark-in.ts'
import { quietFor } from '../wait-until.ts'
import { type BenchOptions, gate, median, medianRatio, percentile, type Row } from './rows.ts'

const bench = 'audit'
/** How much longer each fsync takes on the slow disk. */
const slowMs = 5
const manyWriters = 32
/**
 * p99 of one append by one or two writers, in times of the p99 of one fsync: the median of a disk says nothing of how it can be at
 * its worst. What many at once wait for each other is shown, without a bound.
 */
const mostFsyncs = 6

/** What one round measures of one of them, in milliseconds but for the rate. */
export interface Figures {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  /** p99 of how late the event loop is, the millisecond between two looks included. */
  readonly loop: number
}

export interface Subject {
  readonly name: string
  /** What an append is compared with; undefined for what is itself a comparison. */
  readonly fsync?: string
  /** Appends at the same time. */
  readonly writers?: number
  measure(ms: number): Promise<Figures>
}

const idle = 'nothing is appended'

export async function run({ rounds, seconds, note }: BenchOptions): Promise<Row[]> {
  await using closing = new AsyncDisposableStack()
  note('opening the logs')
  const subjects = await openAll(closing)
  for (const subject of subjects) await subject.measure(500) // the first calls are slower
  const results = new Map(subjects.map(({ name }) => [name, [] as Figures[]]))
  for (let round = 0; round < rounds; round += 1)
    for (const { name, measure } of round % 2 === 0 ? subjects : subjects.toReversed()) {
      note(`${name}: round ${round + 1} of ${rounds}`)
      results.get(name)?.push(await measure(seconds * 1000))
    }
  return rowsOf(subjects, results)
}

/** @param results the rounds of each, by its name */
export function rowsOf(
  subjects: readonly Omit<Subject, 'measure'>[],
  results: ReadonlyMap<string, readonly Figures[]>,
): Row[] {
  const of = (name: string, what: keyof Figures) => (results.get(name) ?? []).map((figures) => figures[what])
  const figure = (name: string, what: keyof Figures, unit: string, text: string): Row => ({
    bench,
    case: `${name}: ${text}`,
    unit,
    value: median(of(name, what)),
  })
  return subjects.flatMap(({ name, fsync, writers = 1 }): Row[] => {
    if (name === idle) return [figure(name, 'loop', 'ms', 'event loop, p99')]
    if (fsync === undefined) return [figure(name, 'p50', 'ms', 'median'), figure(name, 'p99', 'ms', 'p99')]
    const ratioTo = (peer: string, what: keyof Figures) => ({
      peer,
      ratio: medianRatio(of(name, what), of(peer, what)),
      better: 'less' as const,
    })
    const p99 = ratioTo(fsync, 'p99')
    const kept = writers < manyWriters ? gate(p99.ratio, mostFsyncs, 'less') : {}
    return [
      figure(name, 'perSecond', 'per s', 'appends'),
      { ...figure(name, 'p50', 'ms', 'one append, median'), ...ratioTo(fsync, 'p50') },
      { ...figure(name, 'p99', 'ms', 'one append, p99'), ...p99, ...kept },
      { ...figure(name, 'loop', 'ms', 'event loop, p99'), ...ratioTo(idle, 'loop') },
    ]
  })
}

async function openAll(closing: AsyncDisposableStack): Promise<Subject[]> {
  const dir = await mkdtemp(path.join(tmpdir(), 'sallyport-bench-'))
  closing.defer(() => rm(dir, { recursive: true }))
  const databases = await startStoreDatabases(durable)
  closing.defer(() => databases.close())
  const [fsync, slowFsync] = ['one fsync', `one fsync, ${slowMs} ms longer`]
  const inFile = (folder: string, longerMs: number) => openLog(path.join(dir, folder), { longerMs }, closing)
  const place = postgresPlace(await databases.create())
  const keysDir = path.join(dir, 'keys')
  const shared = (folder: string) => openLog(path.join(dir, folder), { place, keysDir }, closing)
  const logs = [
    { name: 'SQLite', fsync, logs: [await inFile('sqlite', 0)] },
    { name: `SQLite, fsync ${slowMs} ms longer`, fsync: slowFsync, logs: [await inFile('slow', slowMs)] },
    { name: 'PostgreSQL', fsync, logs: [await shared('one'), await shared('other')] }, // as two daemons have it
  ]
  return [
    { name: idle, measure: (ms) => repeat(ms, [() => quietFor(10, 'the event loop has nothing to do')]) },
    { name: fsync, measure: await fsyncs(path.join(dir, 'fsync'), 0, closing) },
    { name: slowFsync, measure: await fsyncs(path.join(dir, 'slow-fsync'), slowMs, closing) },
    ...logs.flatMap((store) =>
      [1, 2, manyWriters].map(
        (writers): Subject => ({
          name: `${store.name}, ${writers} writer${writers === 1 ? '' : 's'}`,
          fsync: store.fsync,
          writers,
          measure: (ms) =>
            repeat(
              ms,
              Array.from({ length: writers }, (_, i) => appendTo(store.logs, i)),
            ),
        }),
      ),
    ),
  ]
}

function appendTo(logs: readonly Appender[], writer: number): () => Promise<unknown> {
  const log = logs[writer % logs.length]
  return async () => await log?.append(event)
}

const event: AuditEvent = {
  type: 'session.denied',
  actor: 'prn_01kb2x3v4w5y6z7a8b9c0d1e2f',
  fields: { resource: 'rds-postgres/111122223333/eu-west-1/orders', code: 'GRANT_REQUIRED', via: 'postgres' },
  text: { name: 'alice@example.com', address: '192.0.2.7' },
}

/** Calls each again and again for so long, all at once. */
async function repeat(ms: number, works: readonly (() => Promise<unknown>)[]): Promise<Figures> {
  const taken: number[] = []
  const loop = monitorEventLoopDelay({ resolution: 1 })
  loop.enable()
  const since = performance.now()
  const writer = async (work: () => Promise<unknown>) => {
    for (let began = performance.now(); began < since + ms; ) {
      await work()
      const now = performance.now()
      taken.push(now - began)
      began = now
    }
  }
  await Promise.all(works.map(writer))
  const elapsed = performance.now() - since
  loop.disable()
  return {
    perSecond: (taken.length * 1000) / elapsed,
    p50: percentile(taken, 0.5),
    p99: percentile(taken, 0.99),
    loop: loop.percentile(99) / 1e6,
  }
}

async function fsyncs(name: string, longerMs: number, closing: AsyncDisposableStack): Promise<Subject['measure']> {
  const file = await open(name, 'wx')
  closing.defer(() => file.close())
  const bytes = Buffer.alloc(4096, 1)
  return (ms) =>
    repeat(ms, [
      async () => {
        await file.write(bytes)
        await file.sync()
        if (longerMs > 0) await slowDisk(longerMs)
      },
    ])
}

function postgresPlace(url: string): StorePlace {
  const { host, port, user, database } = readPostgresUrl(url)
  const limits = { connections: 5, statementTimeoutMs: 10_000, lockTimeoutMs: 5000 }
  return { url, postgres: { host, port, user, database, password: null, tls: null, ...limits } }
}

type Appender = Pick<Awaited<ReturnType<typeof createAuditLog>>, 'append'>

interface LogOptions {
  /** A file of its own by default. */
  readonly place?: StorePlace
  /** Of its own by default. */
  readonly keysDir?: string
  /** How much longer an fsync takes. */
  readonly longerMs?: number
}

/** As the daemon has it: chain, MACs, checkpoints and the mark in `state.dir`. */
async function openLog(
  dir: string,
  { place, keysDir = path.join(dir, 'keys'), longerMs = 0 }: LogOptions,
  closing: AsyncDisposableStack,
): Promise<Appender> {
  const at = place ?? { url: `sqlite:${path.join(dir, 'store.db')}` }
  const db = longerMs > 0 ? await openSlowStore(at, longerMs) : await openStore(at)
  closing.defer(() => db.destroy())
  const keyring = openKeyring(keysDir)
  const mark = await markIn(dir, { keyring, clock: systemClock })
  closing.defer(() => mark.close())
  const audit = await createAuditLog({
    db,
    installation: 'ins_test',
    keyring,
    clock: systemClock,
    logger: createLogger({ level: 'silent' }),
    metrics: createMetrics(),
    config: { checkpointEveryMs: 300_000, checkpointEvents: 1000, anchors: [] },
    spoolPath: path.join(dir, 'audit.spool'),
    mark: longerMs > 0 ? withSlowAdvance(mark, longerMs) : mark,
    fork: undefined,
    heads: () => [],
  })
  await audit.start()
  closing.defer(() => audit.stop())
  return audit
}

const slowDisk = (longerMs: number) => quietFor(longerMs, 'what a slower disk takes')

/** As on a disk that needs so much longer for an fsync: what commits reaches the store's thread later, and others wait for it. */
async function openSlowStore(place: StorePlace, longerMs: number): Promise<Db> {
  const { postMessage } = Worker.prototype
  let thread: Worker | undefined
  Worker.prototype.postMessage = function (this: Worker, message: unknown) {
    thread = this
    postMessage.call(this, message)
  }
  const db = await openStore(place).finally(() => {
    Worker.prototype.postMessage = postMessage
  })
  if (!thread) throw new Error('the store has no thread')
  const slow = thread
  slow.postMessage = (message: SqliteCall) => {
    if (!message.statements.some(({ sql }) => sql === 'commit')) postMessage.call(slow, message)
    else void slowDisk(longerMs).then(() => postMessage.call(slow, message))
  }
  return db
}

function withSlowAdvance(mark: Mark, longerMs: number): Pick<Mark, 'id' | 'advance' | 'noteCheckpoint' | 'noteDamage'> {
  return {
    id: mark.id,
    advance: async (events) => {
      await mark.advance(events)
      await slowDisk(longerMs)
    },
    noteCheckpoint: (n) => mark.noteCheckpoint(n),
    noteDamage: (what) => mark.noteDamage(what),
  }
}
