/** What the page shows of the log's integrity: the last check, never one that is made while it waits. */
import t from 'tap'
import type { AuditReport } from '../../../src/contract/audit.ts'
import { auditRoutes } from '../../../src/http/routes/audit.ts'
import { waitUntil } from '../../wait-until.ts'
import { openAudit } from '../audit/start-audit.ts'
import { startAccessApp } from './access-app.ts'

const report: AuditReport = {
  ok: true,
  summary: 'verified: 3 events in an unbroken chain',
  installation: 'i',
  events: 3,
  checkpoints: 1,
  erasedTexts: 0,
  recordings: 0,
  head: { seq: 3, hash: 'h' },
  signed: { seq: 2, at: 20 },
  anchored: { seq: 1, at: 10, anchor: 'file' },
  problems: [],
  problemCount: 0,
  notes: [],
}

t.test('the proof is that of the last check, and the first to look begins one', async (t) => {
  const { audit } = await openAudit(t)
  const checks: PromiseWithResolvers<AuditReport>[] = []
  const verifyAudit = () => {
    const check = Promise.withResolvers<AuditReport>()
    checks.push(check)
    return check.promise
  }
  const now = () => 1000 + checks.length
  const { call } = await startAccessApp(t, ({ lists }) => [auditRoutes({ audit, lists, verifyAudit, now })])
  const proof = async () => (await call('carol', 'GET', '/api/v1/audit/proof')).body
  const none = {
    checkedAt: null,
    ok: null,
    summary: null,
    signedSeq: null,
    anchoredSeq: null,
    anchoredAt: null,
    problems: 0,
  }
  const { seq: head } = await audit.append({ type: 'audit.exported', actor: 'carol', fields: {} })
  t.same(await proof(), { ...none, head })
  await proof()
  t.equal(checks.length, 1, 'one at a time')
  checks[0]?.reject(new Error('the store is gone'))
  await waitUntil(async () => (await proof()) && checks.length === 2, 'another is begun')
  checks[1]?.resolve(report)
  await waitUntil(async () => (await proof()).checkedAt !== null, 'it is over')
  const { ok, summary } = report
  const found = { checkedAt: 1002, ok, summary, signedSeq: 2, anchoredSeq: 1, anchoredAt: 10, problems: 0 }
  t.same(await proof(), { ...found, head })
  t.equal(checks.length, 2, 'to look begins no other')
  const verifying = call('carol', 'GET', '/api/v1/audit/verify')
  await waitUntil(() => checks.length === 3, 'who asks for a check gets one')
  checks[2]?.resolve({ ...report, ok: false, summary: 'VERIFICATION FAILED', problemCount: 7 })
  await verifying
  t.same(await proof(), {
    ...found,
    head: head + 1,
    checkedAt: 1003,
    ok: false,
    summary: 'VERIFICATION FAILED',
    problems: 7,
  })
  for (const person of ['alice', 'eve'])
    t.match(await call(person, 'GET', '/api/v1/audit/proof'), { status: 403, body: { code: 'ROLE_REQUIRED' } })
})

t.test('events that match are a file to keep, all pages of them, and that they were taken is in the log', async (t) => {
  const { audit } = await openAudit(t)
  const app = await startAccessApp(t, ({ lists }) => [
    auditRoutes({ audit, lists, verifyAudit: async () => report, now: () => Date.UTC(2026, 10, 29) }),
  ])
  for (let i = 0; i < 1100; i++)
    await audit.append({ type: i % 2 === 0 ? 'audit.read' : 'store.backed-up', actor: 'carol', fields: {} })
  const url = await app.listen()
  const get = (person: string, query: string) =>
    fetch(`${url}/api/v1/audit/events/file?${query}`, { headers: { authorization: `Bearer ${person}` } })
  const csv = await get('carol', 'format=csv&type=audit.read&type=store.backed-up')
  t.equal(csv.headers.get('content-disposition'), 'attachment; filename="sallyport-events-2026-11-29.csv"')
  t.match(csv.headers.get('content-type'), 'text/csv')
  t.equal(csv.headers.get('cache-control'), 'no-store')
  t.equal((await csv.text()).trim().split('\n').length, 1101)
  const lines = (await (await get('carol', 'format=jsonl&type=store.backed-up')).text()).trim().split('\n')
  t.equal(lines.length, 550)
  t.match(JSON.parse(lines[0] ?? ''), { seq: 1100, type: 'store.backed-up' }, 'the newest first')
  const { events } = await audit.search({ types: ['audit.exported'], limit: 10 })
  t.match(events[0], { actor: 'carol', fields: { format: 'jsonl', types: ['store.backed-up'] } })
  t.equal((await get('alice', 'format=csv')).status, 403, 'for auditors alone')
  t.equal((await get('carol', 'format=xml')).status, 400)
})
