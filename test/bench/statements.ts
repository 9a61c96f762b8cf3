/**
 * What reading and recording cost by themselves: a trace of `pgbench -S` goes from memory through framers, ledger and the
 * recording's writer, with and without writing ahead. In the daemon the same code takes about five times as long, since caches
 * are cold after each switch.
 */
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Ledger } from '../../proxy/postgres/ledger/ledger.ts'
import { SessionCapture } from '../../proxy/postgres/ledger/session-capture.ts'
import { EntryWriter } from '../../proxy/recording/entry-writer.ts'
import { Budget } from '../../proxy/relay/budget.ts'
import { RecordingBuffers } from '../../src/recordings/recording-buffers.ts'
import { RecordingQuota } from '../../src/recordings/recording-quota.ts'
import { RecordingWriter } from '../../src/recordings/recording-writer.ts'
import { bind, cstring, describe, execute, int32, message, parse, query, sync } from '../proxy/postgres/raw-client.ts'
import { type BenchOptions, gate, median, medianRatio, type Row } from './rows.ts'

interface Trace {
  readonly name: string
  /** What prepares the session: of the client, of the server. */
  readonly first: readonly Buffer[]
  readonly up: readonly Buffer[]
  readonly down: Buffer
}

const variants = ['with write-ahead', 'without'] as const
const transactions = 20_000
/** Of processor time for one transaction. */
const mostMicroseconds = 2

export async function run({ rounds, note }: BenchOptions): Promise<Row[]> {
  const dir = await mkdtemp(path.join(tmpdir(), 'sallyport-bench-'))
  try {
    const rows: Row[] = []
    for (const trace of [simple(), prepared()]) {
      const results = new Map(variants.map((variant) => [variant, [] as number[]]))
      for (let round = -2; round < rounds; round += 1)
        for (const variant of round % 2 === 0 ? variants : [...variants].reverse()) {
          note(`${trace.name}, ${variant}: ${round < 0 ? 'warm-up' : `round ${round + 1} of ${rounds}`}`)
          const value = await replay(
            trace,
            variant === 'with write-ahead',
            path.join(dir, `${trace.name}${round}${variant}`),
          )
          if (round >= 0) results.get(variant)?.push(value)
        }
      rows.push(...rowsOf(trace, results.get('with write-ahead') ?? [], results.get('without') ?? []))
    }
    return rows
  } finally {
    await rm(dir, { recursive: true })
  }
}

function rowsOf({ name }: Trace, ours: readonly number[], bare: readonly number[]): Row[] {
  const row = { bench: 'statements', unit: 'µs', better: 'less' as const }
  const cost = median(ours.map((value, i) => value - (bare[i] ?? Number.NaN)))
  return [
    { ...row, case: `${name}, with write-ahead`, value: median(ours), peer: 'without', ratio: medianRatio(ours, bare) },
    { ...row, case: `${name}, what write-ahead takes`, value: cost, ...gate(cost, mostMicroseconds, 'less') },
  ]
}

/** @returns processor time for one transaction, µs */
async function replay(trace: Trace, writesAhead: boolean, name: string): Promise<number> {
  const file = await open(name, 'wx+')
  const limits = { maxPerSessionBytes: 1e12, maxPerPrincipalBytes: 1e12, reserveBytes: 0 }
  const quota = new RecordingQuota({ dir: path.dirname(name), clock: { now: () => Date.now() }, ...limits })
  await quota.admit('prn_bench')
  const writer = new RecordingWriter({
    file,
    offset: 0,
    head: '0'.repeat(64),
    sessionId: 'ses_bench',
    principalId: 'prn_bench',
    buffers: new RecordingBuffers({ recordingLagBytes: { set: () => {} } } as never),
    quota,
    highWater: Number.POSITIVE_INFINITY,
    onSealed: () => {},
  })
  const entries = new EntryWriter(writer, () => {})
  if (!writesAhead) Object.assign(entries, { reserve: () => {}, release: () => {} })
  const ledger = new Ledger({
    entries,
    budget: new Budget(),
    now: () => Date.now(),
    onStatement: () => {},
    maxRows: 0,
    capture: new SessionCapture(Buffer.alloc(32), message('S', cstring('standard_conforming_strings'), cstring('on'))),
  })
  if (writesAhead) writer.onFlush(() => ledger.begin(performance.now() - 25))
  const [asked, answered] = trace.first
  if (asked && answered) pass(ledger, asked, answered)
  const before = process.cpuUsage()
  for (let i = 0; i < transactions; i += 1) {
    pass(ledger, trace.up[i % trace.up.length] as Buffer, trace.down)
    if (i % 1000 === 0) await new Promise(setImmediate) // lets the writer's batches go
  }
  await writer.seal()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / transactions
}

function pass(ledger: Ledger, asked: Buffer, answered: Buffer): void {
  ledger.tick()
  ledger.up.scan(asked)
  ledger.tick()
  ledger.down.scan(answered)
}

const accounts = Array.from({ length: 64 }, (_, i) => 100_000 + i * 7919)
const sql = 'SELECT abalance FROM pgbench_accounts WHERE aid ='
const ready = message('Z', Buffer.from('I'))

function rows(): Buffer {
  const column = Buffer.concat([cstring('abalance'), int32(1), Buffer.alloc(2), int32(23), Buffer.alloc(8)])
  const [one, value] = [Buffer.from([0, 1]), Buffer.from('123')]
  return Buffer.concat([
    message('T', one, column),
    message('D', one, int32(value.length), value),
    message('C', cstring('SELECT 1')),
  ])
}

function simple(): Trace {
  return {
    name: 'simple',
    first: [],
    up: accounts.map((aid) => query(`${sql} ${aid};`)),
    down: Buffer.concat([rows(), ready]),
  }
}

function prepared(): Trace {
  return {
    name: 'prepared',
    first: [Buffer.concat([parse('P_0', `${sql} $1;`), sync]), Buffer.concat([message('1'), ready])],
    up: accounts.map((aid) =>
      Buffer.concat([bind('', 'P_0', [Buffer.from(`${aid}`)]), describe('P', ''), execute(''), sync]),
    ),
    down: Buffer.concat([message('2'), rows(), ready]),
  }
}
