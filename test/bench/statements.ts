/**
 * What reading and recording cost by themselves: a trace of `pgbench -S`, and one of sysbench's point selects, goes from memory through framers, ledger and the
 * recording's writer, with and without writing ahead. In the daemon the same code takes about five times as long, since caches
 * are cold after each switch.
 */
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Ledger as MysqlLedger } from '../../proxy/mysql/ledger/ledger.ts'
import { SessionText } from '../../proxy/mysql/sql/session-text.ts'
import { Ledger } from '../../proxy/postgres/ledger/ledger.ts'
import { SessionCapture } from '../../proxy/postgres/ledger/session-capture.ts'
import { EntryWriter } from '../../proxy/recording/entry-writer.ts'
import { Budget } from '../../proxy/relay/budget.ts'
import type { Conversation, ConversationParts } from '../../proxy/relay/conversation.ts'
import { RecordingBuffers } from '../../src/recordings/recording-buffers.ts'
import { RecordingQuota } from '../../src/recordings/recording-quota.ts'
import { RecordingWriter } from '../../src/recordings/recording-writer.ts'
import { bind, cstring, describe, execute, int32, message, parse, query, sync } from '../proxy/postgres/raw-client.ts'
import { type BenchOptions, gate, median, medianRatio, type Row } from './rows.ts'

interface Trace {
  readonly name: string
  open(parts: ConversationParts): Conversation
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
    for (const trace of [simple(), prepared(), mysqlText(), mysqlPrepared()]) {
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
  const ledger = trace.open({ entries, budget: new Budget(), now: () => Date.now(), onStatement: () => {} })
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

function pass(ledger: Conversation, asked: Buffer, answered: Buffer): void {
  ledger.tick(performance.now())
  ledger.up.scan(asked)
  ledger.tick(performance.now())
  ledger.down.scan(answered)
}

const accounts = Array.from({ length: 64 }, (_, i) => 100_000 + i * 7919)
const sql = 'SELECT abalance FROM pgbench_accounts WHERE aid ='
const ready = message('Z', Buffer.from('I'))

function openPostgres(parts: ConversationParts): Conversation {
  const capture = new SessionCapture(
    Buffer.alloc(32),
    message('S', cstring('standard_conforming_strings'), cstring('on')),
  )
  return new Ledger({ ...parts, maxRows: 0, capture })
}

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
    open: openPostgres,
    first: [],
    up: accounts.map((aid) => query(`${sql} ${aid};`)),
    down: Buffer.concat([rows(), ready]),
  }
}

function prepared(): Trace {
  return {
    name: 'prepared',
    open: openPostgres,
    first: [Buffer.concat([parse('P_0', `${sql} $1;`), sync]), Buffer.concat([message('1'), ready])],
    up: accounts.map((aid) =>
      Buffer.concat([bind('', 'P_0', [Buffer.from(`${aid}`)]), describe('P', ''), execute(''), sync]),
    ),
    down: Buffer.concat([message('2'), rows(), ready]),
  }
}

function openMysql(parts: ConversationParts): Conversation {
  return new MysqlLedger({
    ...parts,
    capabilities: 0,
    maxRows: 0,
    capture: new SessionText(Buffer.alloc(32), '10.11.6-MariaDB'),
    databases: ['*'],
    mayLoadLocal: false,
    changeUser: () => Promise.reject(new Error('nobody changes')),
    kill: async () => 'unknown',
  })
}

const mysqlSql = 'SELECT c FROM sbtest1 WHERE id='
const packet = (sequence: number, ...parts: Buffer[]) => {
  const payload = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([payload.length, 0, 0, sequence]), payload])
}
const eof = (sequence: number) => packet(sequence, Buffer.from([0xfe, 0, 0, 2, 0]))
const columnDefinition = (sequence: number) => packet(sequence, Buffer.from('\x03def'), Buffer.alloc(40))
const result = Buffer.concat([
  packet(1, Buffer.from([1])),
  columnDefinition(2),
  eof(3),
  packet(4, Buffer.from([119]), Buffer.alloc(119, '3')),
  eof(5),
])

function mysqlText(): Trace {
  return {
    name: 'MySQL, text',
    open: openMysql,
    first: [],
    up: accounts.map((id) => packet(0, Buffer.from(`\x03${mysqlSql}${id}`))),
    down: result,
  }
}

function mysqlPrepared(): Trace {
  const id = Buffer.from([1, 0, 0, 0])
  const reply = Buffer.concat([
    packet(1, Buffer.from([0]), id, Buffer.from([1, 0, 1, 0, 0, 0, 0])),
    ...[columnDefinition(2), eof(3), columnDefinition(4), eof(5)],
  ])
  const execute = (value: Buffer) => packet(0, Buffer.from([0x17]), id, Buffer.from([0, 1, 0, 0, 0, 0, 1, 3, 0]), value)
  return {
    name: 'MySQL, prepared',
    open: openMysql,
    first: [packet(0, Buffer.from(`\x16${mysqlSql}?`)), reply],
    up: accounts.map((account) => execute(int32(account).reverse())),
    down: result,
  }
}
