import t from 'tap'
import type { AuditRecord } from '../../../src/audit/audit.ts'
import { eventFile } from '../../../src/audit/event-files.ts'

async function* events(): AsyncGenerator<AuditRecord> {
  yield {
    seq: 2,
    at: Date.UTC(2026, 10, 29, 12, 0, 0, 7),
    type: 'grant.revoked',
    actor: 'prn_1',
    fields: { grant: 'grt_1', groups: ['a', 'b'] },
    text: { reason: 'said "now",\nand meant it' },
    hash: 'abc',
  }
  yield { seq: 1, at: 0, type: 'login.failed', actor: '=HYPERLINK("https://evil.example")', fields: {}, hash: 'def' }
}

async function collect<T>(from: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of from) all.push(one)
  return all
}

t.test('CSV: a head, a line each, quoted, and nothing that a spreadsheet takes for a formula', async (t) => {
  const lines = await collect(eventFile(events(), 'csv'))
  t.same(lines, [
    'seq,time,type,actor,fields,text,hash\n',
    '2,2026-11-29T12:00:00.007Z,grant.revoked,prn_1,"{""grant"":""grt_1"",""groups"":[""a"",""b""]}","{""reason"":""said \\""now\\"",\\nand meant it""}",abc\n',
    `1,1970-01-01T00:00:00.000Z,login.failed,"'=HYPERLINK(""https://evil.example"")",{},{},def\n`,
  ])
})

t.test('JSON lines: the events as they are', async (t) => {
  const lines = await collect(eventFile(events(), 'jsonl'))
  t.same(
    lines.map((line) => JSON.parse(line)),
    await collect(events()),
  )
})
