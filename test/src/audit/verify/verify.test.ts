import { hash } from 'node:crypto'
import { appendFileSync, copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { type CanonicalValue, canonicalJson } from '../../../../src/audit/canonical.ts'
import { eventHash, genesis } from '../../../../src/audit/chain.ts'
import { checkpointBytes, checkpointLine } from '../../../../src/audit/checkpoint.ts'
import { verifyOffline } from '../../../../src/audit/verify/offline-verify.ts'
import fc from '../../../fast-check.ts'
import { created, newDir, openAudit, revoked } from '../start-audit.ts'

/** A log of five events, with checkpoints at 0 (start), 3 and 5 (stop), closed and copied. */
async function makeCopy(t: Test) {
  const log = await openAudit(t)
  await log.audit.start()
  await log.audit.append(created('grt_1'))
  await log.audit.append({ type: 'rules.loaded', actor: 'system', fields: { digest: 'abc' } })
  await log.audit.append(created('grt_2'))
  await log.audit.checkpoint()
  await log.audit.append(revoked('grt_1'))
  await log.audit.append(created('grt_3'))
  const lines: string[] = []
  for await (const line of log.audit.exportLines()) lines.push(line)
  await log.close()
  const file = join(newDir(t), 'copy.db')
  copyFileSync(join(log.dir, 'test.db'), file)
  return {
    ...log,
    file,
    lines,
    edit: (sql: string, ...values: (string | number | null)[]) => edit(file, sql, values),
    verify: (options: { anchor?: boolean } = {}) =>
      verifyOffline({
        store: `sqlite:${file}`,
        publicKeyPem: log.keyring.publicKeyPem,
        anchorFiles: options.anchor ? [log.anchorFile] : [],
      }),
    verifyExport: (text: string, options: { anchor?: boolean } = {}) => {
      const exportFile = join(newDir(t), 'export.jsonl')
      writeFileSync(exportFile, text)
      const anchorFiles = options.anchor ? [log.anchorFile] : []
      return verifyOffline({ exportFile, publicKeyPem: log.keyring.publicKeyPem, anchorFiles })
    },
  }
}

function edit(file: string, sql: string, values: (string | number | null)[]): void {
  const db = new DatabaseSync(file)
  db.exec('pragma journal_mode = delete')
  db.prepare(sql).run(...values)
  db.close()
}

t.test('an untouched log is good, and the report says up to where and by what', async (t) => {
  const copy = await makeCopy(t)
  await t.test('with the anchor', async (t) => {
    const report = await copy.verify({ anchor: true })
    t.match(report, { ok: true, events: 5, checkpoints: 3, erasedTexts: 0, problems: [], notes: [] })
    t.match(report.anchored, { seq: 5, anchor: `${copy.anchorFile}:3` })
    t.match(
      report.summary,
      /^verified: 5 events in an unbroken chain; integrity is proven up to event 5 \(anchored 2027-/,
    )
  })
  await t.test('without: it says what that leaves open', async (t) => {
    const report = await copy.verify()
    t.match(report, { ok: true, anchored: null, signed: { seq: 5 } })
    t.match(report.summary, /signed up to event 5 .*; without an anchor, truncation .* cannot be detected/)
  })
  await t.test('an export, which holds all that is needed', async (t) => {
    const report = await copy.verifyExport(copy.lines.join('\n'), { anchor: true })
    t.match(
      report.problems,
      [{ where: 'checkpoint', at: 3, what: /missing from the log, but present in the anchor/ }],
      'made at the stop, after the export',
    )
    t.equal(report.problemCount, 1)
    t.match(await copy.verifyExport(copy.lines.join('\n')), { ok: true, events: 5, signed: { seq: 3 } })
  })
  t.notOk(existsSync(`${copy.file}-wal`), 'nothing was written beside the copy')
})

t.test('an erased text breaks nothing and is counted', async (t) => {
  const copy = await makeCopy(t)
  copy.edit('delete from audit_texts where seq = 1')
  t.match(await copy.verify({ anchor: true }), { ok: true, erasedTexts: 1, problems: [] })
})

t.test('a tampered row is refused with its place', async (t) => {
  const cases: [string, string, { where: string; at: number | string; what: RegExp }][] = [
    ['event', "update audit_events set actor = 'prn_eve' where seq = 2", { where: 'event', at: 2, what: /content/ }],
    ['text', "update audit_texts set text = '{}' where seq = 4", { where: 'text', at: 4, what: /digest/ }],
    ['salt', "update audit_texts set salt = 'x' where seq = 4", { where: 'text', at: 4, what: /digest/ }],
    [
      'text where there was none',
      "insert into audit_texts values (2, 's', '{}')",
      { where: 'text', at: 2, what: /had none/ },
    ],
    ['stray text', "insert into audit_texts values (9, 's', '{}')", { where: 'text', at: 9, what: /no event/ }],
    ['head', 'update audit_head set seq = 4', { where: 'head', at: 4, what: /the last event is 5/ }],
    [
      'index',
      "delete from audit_subjects where subject = 'grt_1' and seq = 4",
      { where: 'subjects', at: 4, what: /search index/ },
    ],
    [
      'checkpoint',
      `update audit_checkpoints set body = replace(body, '"seq":3', '"seq":2') where n = 2`,
      { where: 'checkpoint', at: 2, what: /signature/ },
    ],
    [
      'a checkpoint taken out',
      'delete from audit_checkpoints where n = 2',
      { where: 'checkpoint', at: 2, what: /missing/ },
    ],
  ]
  for (const [name, sql, problem] of cases) {
    const copy = await makeCopy(t)
    copy.edit(sql)
    const report = await copy.verify()
    t.notOk(report.ok, name)
    t.match(report.problems[0], problem, name)
    t.match(report.summary, /^VERIFICATION FAILED: /)
  }
})

t.test('any single changed bit of any column of any row is found, and placed', async (t) => {
  const copy = await makeCopy(t)
  const read = new DatabaseSync(copy.file)
  read.exec('pragma journal_mode = delete')
  const places: { table: string; rowid: number; column: string; value: string | number; at: string | number }[] = []
  for (const [table, key] of Object.entries({
    audit_events: 'seq',
    audit_texts: 'seq',
    audit_checkpoints: 'n',
    audit_head: 'seq',
    audit_subjects: 'seq',
  })) {
    for (const { rowid_, ...row } of read.prepare(`select rowid as rowid_, * from ${table}`).all()) {
      for (const [column, value] of Object.entries(row)) {
        // The MAC of the head can only be checked with its key.
        if (value === null || (table === 'audit_head' && (column === 'id' || column === 'mac'))) continue
        places.push({ table, rowid: Number(rowid_), column, value: value as string | number, at: row[key] as number })
      }
    }
  }
  read.close()
  const original = readFileSync(copy.file)
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.nat(), async (which, bit) => {
      const place = places[which % places.length]
      if (!place) return
      writeFileSync(copy.file, original)
      try {
        copy.edit(
          `update ${place.table} set ${place.column} = ? where rowid = ?`,
          flipped(place.value, bit),
          place.rowid,
        )
      } catch (error) {
        if (/UNIQUE/.test((error as Error).message)) return // another row is there: the store itself refuses it
        throw error
      }
      const report = await copy.verify()
      const { table, column, at } = place
      t.notOk(report.ok, `${table}.${column} of ${at}`)
      const isPlaced = table === 'audit_head' || report.problems.some((problem) => problem.at === at)
      t.ok(
        isPlaced || column === 'n' || column === 'seq',
        `${table}.${column} of ${at}: ${JSON.stringify(report.problems)}`,
      )
    }),
    { numRuns: 120 },
  )
})

function flipped(value: string | number, bit: number): string | number {
  if (typeof value === 'number') return value ^ (1 << (bit % 20))
  const bytes = Buffer.from(value)
  const index = bit % bytes.length
  bytes[index] = (bytes[index] ?? 0) ^ (1 << (bit % 7))
  return bytes.toString('latin1').replaceAll('\0', '\u0001')
}

t.test('a truncated copy is refused with the anchor, and only with it', async (t) => {
  const copy = await makeCopy(t)
  const rows = new DatabaseSync(copy.file)
  const { hash: third } = rows.prepare('select hash from audit_events where seq = 3').get() as { hash: string }
  rows.close()
  copy.edit('delete from audit_events where seq > 3')
  copy.edit('delete from audit_texts where seq > 3')
  copy.edit('delete from audit_subjects where seq > 3')
  copy.edit('delete from audit_checkpoints where n > 2')
  copy.edit('update audit_head set seq = 3, hash = ?', third)
  t.match(await copy.verify(), { ok: true, events: 3 }, 'it is a whole log of an earlier day')
  const report = await copy.verify({ anchor: true })
  t.notOk(report.ok)
  t.match(report.problems, [
    { where: 'anchor', at: /anchor.jsonl:3$/, what: /it signs event 5, but the log ends at event 3: it was truncated/ },
    { where: 'checkpoint', at: 3, what: /missing from the log, but present in the anchor/ },
  ])
  t.match(report.summary, /proven up to event 3/)
})

t.test('a truncated export is refused', async (t) => {
  const copy = await makeCopy(t)
  const cut = copy.lines.slice(0, -2).join('\n')
  t.match(await copy.verifyExport(cut), {
    ok: false,
    problems: [{ where: 'head' }, { where: 'export', what: /is truncated/ }],
  })
  const empty = await copy.verifyExport('')
  t.match(empty, { ok: false, problems: [{}, {}, {}] })
})

t.test('any changed character of an export is found', async (t) => {
  const copy = await makeCopy(t)
  const text = copy.lines.join('\n')
  await fc.assert(
    fc.asyncProperty(fc.nat(text.length - 1), async (i) => {
      const other = text[i] === 'x' ? 'y' : 'x'
      const report = await copy.verifyExport(`${text.slice(0, i)}${other}${text.slice(i + 1)}`)
      t.notOk(report.ok, `character ${i}: ${text.slice(Math.max(0, i - 20), i + 20)}`)
    }),
    { numRuns: 150 },
  )
})

t.test('a chain rewritten by a holder of the signing key is refused by the anchor', async (t) => {
  const copy = await makeCopy(t)
  rewrite(copy.file, copy.keyring)
  t.match(await copy.verify(), { ok: true }, 'nothing inside the copy betrays it')
  const report = await copy.verify({ anchor: true })
  t.notOk(report.ok)
  t.match(report.problems, [
    { where: 'checkpoint', at: 2, what: /differs from the one in the anchor/ },
    { where: 'checkpoint', at: 3, what: /differs from the one in the anchor/ },
    { where: 'anchor', at: /:2$/, what: /it signs a different event 3: the log was rewritten/ },
    { where: 'anchor', at: /:3$/, what: /a different event 5/ },
  ])
  t.match(report.anchored, { seq: 0 })
})

t.test('a chain rewritten with another key is refused without an anchor', async (t) => {
  const copy = await makeCopy(t)
  const { openKeyring } = await import('../../../../src/store/keyring.ts')
  rewrite(copy.file, openKeyring(join(newDir(t), 'keys')))
  t.match(await copy.verify(), { ok: false, problems: [{ where: 'checkpoint', at: 1, what: /it names the key/ }] })
})

/** Changes event 2, and signs everything anew. */
function rewrite(file: string, keyring: { signingKeyId: string; sign(bytes: Uint8Array): string }): void {
  const db = new DatabaseSync(file)
  db.exec('pragma journal_mode = delete')
  db.exec("update audit_events set actor = 'prn_eve' where seq = 2")
  db.exec("update audit_subjects set subject = 'prn_eve' where seq = 2 and subject = 'system'")
  let prev = genesis('ins_test')
  const hashes = [prev]
  for (const row of db.prepare('select * from audit_events order by seq').all()) {
    const linked = { ...(row as never as Parameters<typeof eventHash>[0]), prev_hash: prev }
    const own = eventHash(linked)
    db.prepare('update audit_events set prev_hash = ?, hash = ? where seq = ?').run(prev, own, linked.seq)
    prev = own
    hashes.push(own)
  }
  db.prepare('update audit_head set hash = ?').run(prev)
  for (const { n, body } of db.prepare('select * from audit_checkpoints').all() as { n: number; body: string }[]) {
    const old = JSON.parse(body) as { seq: number }
    const renewed = canonicalJson({ ...old, hash: hashes[old.seq] ?? '', key: keyring.signingKeyId } as CanonicalValue)
    const signature = keyring.sign(checkpointBytes(renewed))
    db.prepare('update audit_checkpoints set body = ?, signature = ? where n = ?').run(renewed, signature, n)
  }
  db.close()
}

t.test('an anchor may be captured standard output, but must hold checkpoints of this log', async (t) => {
  const copy = await makeCopy(t)
  const good = readFileSync(copy.anchorFile, 'utf8')
  await t.test('other lines and a torn one are passed over', async (t) => {
    writeFileSync(copy.anchorFile, `{"level":30,"msg":"up"}\nnot json\n${good}{"checkpoint":{"v":1,`)
    t.match(await copy.verify({ anchor: true }), {
      ok: true,
      anchored: { seq: 5 },
      notes: [/line 6: incomplete or damaged/],
    })
  })
  await t.test('an empty one proves nothing', async (t) => {
    writeFileSync(copy.anchorFile, '{"level":30}\n')
    t.match(await copy.verify({ anchor: true }), {
      ok: false,
      problems: [{ where: 'anchor', what: /contains no checkpoints/ }],
    })
  })
  await t.test('a missing one is a problem, not an accident', async (t) => {
    const report = await verifyOffline({
      store: `sqlite:${copy.file}`,
      publicKeyPem: copy.keyring.publicKeyPem,
      anchorFiles: ['/nowhere'],
    })
    t.match(report, { ok: false, problems: [{ where: 'anchor', at: '/nowhere', what: /ENOENT/ }] })
  })
  await t.test('a forged or foreign line is named', async (t) => {
    writeFileSync(copy.anchorFile, good.replace('"seq":5', '"seq":4'))
    t.match(await copy.verify({ anchor: true }), {
      ok: false,
      problems: [{ where: 'anchor', at: /:3$/, what: /signature/ }],
    })
    const body = canonicalJson({
      v: 1,
      installation: 'ins_other',
      n: 1,
      seq: 0,
      hash: hash('sha256', 'x'),
      at: 1,
      key: copy.keyring.signingKeyId,
      recordings: [],
    })
    const signature = copy.keyring.sign(checkpointBytes(body))
    writeFileSync(copy.anchorFile, good)
    appendFileSync(copy.anchorFile, `${checkpointLine({ body, signature })}\n`)
    t.match(await copy.verify({ anchor: true }), {
      ok: false,
      problems: [{ at: /:4$/, what: /another installation, ins_other/ }],
    })
  })
})

t.test('a log without any checkpoint is not good', async (t) => {
  const copy = await makeCopy(t)
  copy.edit('delete from audit_checkpoints')
  t.match(await copy.verify(), {
    ok: false,
    signed: null,
    problems: [{ where: 'checkpoint', at: 1, what: /none found/ }],
  })
})

t.test('a store left by kill -9, with its write-ahead log, can be verified', async (t) => {
  const log = await openAudit(t)
  await log.audit.start()
  await log.audit.append(created('grt_1'))
  const file = join(newDir(t), 'copy.db')
  copyFileSync(join(log.dir, 'test.db'), file)
  copyFileSync(join(log.dir, 'test.db-wal'), `${file}-wal`)
  const report = await verifyOffline({
    store: `sqlite:${file}`,
    publicKeyPem: log.keyring.publicKeyPem,
    anchorFiles: [],
  })
  t.match(report, { ok: true, events: 1 })
  await t.test('the running one is not opened, and the message says what to do', async (t) => {
    const running = {
      store: `sqlite:${join(log.dir, 'test.db')}`,
      publicKeyPem: log.keyring.publicKeyPem,
      anchorFiles: [],
    }
    await t.rejects(verifyOffline(running), { code: 'STORE_UNAVAILABLE', message: /a daemon is using it/ })
  })
})

t.test('wrong use is refused', async (t) => {
  const publicKeyPem = (await openAudit(t)).keyring.publicKeyPem
  await t.rejects(verifyOffline({ publicKeyPem, anchorFiles: [] }), {
    code: 'INVALID_INPUT',
    message: /either --store or --export/,
  })
  await t.rejects(verifyOffline({ store: 'postgres://x', publicKeyPem, anchorFiles: [] }), { code: 'CONFIG_INVALID' })
  await t.rejects(verifyOffline({ store: 'sqlite:/nowhere.db', publicKeyPem, anchorFiles: [] }), {
    code: 'STORE_UNAVAILABLE',
    message: /no such file/,
  })
})

t.test('checks of other features and of recordings are part of the verdict', async (t) => {
  const { audit } = await openAudit(t, { heads: () => [{ sessionId: 'ses_open', head: 'h2', entries: 4 }] })
  await audit.append({ type: 'session.ended', actor: 'prn_1', fields: { session: 'ses_1', digest: 'd1', entries: 3 } })
  await audit.append({ type: 'session.ended', actor: 'prn_1', fields: { session: 'ses_2', digest: null, entries: 0 } })
  await audit.checkpoint()
  const asked: unknown[] = []
  const report = await audit.verify({
    checkRecording: async (end) => {
      asked.push(end)
      return end.session === 'ses_1' ? 'lines 2 to 5 were changed' : null
    },
    extraChecks: [
      async function* () {
        yield { where: 'grant', at: 'grt_1', what: 'its HMAC does not match' }
      },
    ],
  })
  t.same(asked, [
    { session: 'ses_1', digest: 'd1', entries: 3, heads: [] },
    { session: 'ses_open', digest: null, entries: 0, heads: [{ head: 'h2', entries: 4 }] },
  ])
  t.match(report, {
    ok: false,
    recordings: 2,
    problems: [
      { where: 'recording', at: 'ses_1', what: 'lines 2 to 5 were changed' },
      { where: 'grant', at: 'grt_1', what: 'its HMAC does not match' },
    ],
  })
})
