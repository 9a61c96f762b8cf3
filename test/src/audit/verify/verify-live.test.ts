import t from 'tap'
import { type AuditStore, type CheckpointRow, createAuditStore } from '../../../../src/audit/audit-store.ts'
import { checkpointLine } from '../../../../src/audit/checkpoint.ts'
import { storeSource } from '../../../../src/audit/verify/store-source.ts'
import { verifyAudit } from '../../../../src/audit/verify/verify.ts'
import { created, openAudit } from '../start-audit.ts'

t.test('events that are written while the log is verified make no problem, whenever they come', async (t) => {
  const log = await openAudit(t)
  await log.audit.start()
  await log.audit.append(created('grt_1'))
  const store = createAuditStore(log.db)
  /** After what was thought to be the last page, too; three times only, since each makes more to read. */
  const written = (name: 'indexedPage' | 'head' | 'checkpoints'): AuditStore => {
    const read = store[name] as (...args: number[]) => Promise<unknown>
    let written = 0
    const reading = async (...args: number[]) => {
      const found = await read(...args)
      const isMore = Array.isArray(found) && found.length > 0
      if (!isMore && ++written <= 3) await log.audit.append(created('grt_2'))
      return found
    }
    return { ...store, [name]: reading }
  }
  for (const name of ['indexedPage', 'head', 'checkpoints'] as const) {
    const before = (await store.head()).seq
    const source = storeSource(written(name), log.db)
    const report = await verifyAudit({ source, publicKeyPem: log.keyring.publicKeyPem })
    t.same(report.problems, [], `after each reading: ${name}`)
    t.equal(report.events, report.head.seq)
    t.ok((await store.head()).seq > before)
  }
})

t.test('a head that names an event which is not there is a problem still', async (t) => {
  const log = await openAudit(t)
  await log.audit.start()
  await log.audit.append(created('grt_1'))
  const store = createAuditStore(log.db)
  const head = async () => ({ ...(await store.head()), seq: 1000 })
  const report = await verifyAudit({
    source: storeSource({ ...store, head }, log.db),
    publicKeyPem: log.keyring.publicKeyPem,
  })
  t.match(report.problems, [{ where: 'head', at: 1000, what: /the last event is 1$/ }])
})

t.test('a checkpoint that is made while the log is verified is not missing, though an anchor has it', async (t) => {
  const log = await openAudit(t)
  await log.audit.start()
  const store = createAuditStore(log.db)
  const { publicKeyPem } = log.keyring
  const rows: CheckpointRow[] = []
  async function* lines() {
    await log.audit.append(created('grt_1'))
    await log.audit.checkpoint()
    rows.push(...(await store.checkpoints(0, 20)))
    for (const row of rows) yield checkpointLine(row)
  }
  const verify = (anchor: AsyncIterable<string>) =>
    verifyAudit({ source: storeSource(store, log.db), publicKeyPem, anchors: [{ name: 'anchor', lines: anchor }] })
  const report = await verify(lines())
  t.same(report.problems, [])
  t.equal(report.anchored?.seq, report.head.seq, 'and proves what was written meanwhile')

  async function* known() {
    for (const row of rows) yield checkpointLine(row)
  }
  const last = rows.at(-1)?.n ?? 0
  await log.db.deleteFrom('audit_checkpoints').where('n', '=', last).execute()
  t.match((await verify(known())).problems, [{ where: 'checkpoint', at: last, what: /missing from the log/ }])
})
