/** What a start finds, and whether it opens: each row of the table in docs/decisions/0021. */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { link } from '../../src/audit/chain.ts'
import {
  copyOf,
  edit,
  ended,
  judge,
  live,
  locked,
  type Machine,
  newMachine,
  replace,
  started,
} from './c-the-mark-setup.ts'

/** Back to what a version without marks would have left. */
const withoutMarks = `delete from audit_events; delete from audit_texts; delete from audit_subjects;
  delete from audit_checkpoints; delete from audit_head`

const events = [started('ses_1'), locked('prn_eve'), ended('grt_1'), started('ses_2')]

// Each row is a machine of its own, with a sync for each commit, which takes long on a busy disk.
t.setTimeout(480_000)

/** A machine whose daemon has run and stopped: mark, log, checkpoint and anchor agree. */
const whole = newMachine(t)
await live(whole, events)

const markOf = (machine: Machine) => path.join(machine.stateDir, 'mark')
const remove = (file: string) => rmSync(file, { recursive: true })
/** [what happened, what is done to the machine, why it stays closed] */
type Row = readonly [string, (machine: Machine, before: Machine) => unknown, RegExp | null]

const removalsDiffer = /revocations, locks and ends in the log are not those/

const rows: readonly Row[] = [
  ['nothing happened', () => {}, null],
  ['the crash came while the mark was first written', (m) => writeFileSync(`${markOf(m)}.new`, 'half'), null],
  ['an anchor is missing', (m) => remove(m.anchor), null],
  [
    'an anchor cannot be read',
    (m) => {
      remove(m.anchor)
      mkdirSync(m.anchor)
    },
    null,
  ],
  ['an anchor ends in half a line', (m) => writeFileSync(m.anchor, '{"checkpoint":{"n":9', { flag: 'a' }), null],
  [
    'the crash came after the log’s commit, before the mark',
    async (m) => {
      const mark = readFileSync(markOf(m))
      const crashed = copyOf(t, m)
      await live(m, [locked('prn_mallory'), started('ses_3')], crashed)
      replace(m, crashed)
      writeFileSync(markOf(m), mark)
    },
    null,
  ],
  [
    'the crash tore the slot that was being written',
    async (m) => {
      const crashed = copyOf(t, m)
      await live(m, [started('ses_3')], crashed)
      replace(m, crashed)
      const mark = readFileSync(markOf(m))
      const counts = [0, 4096].map((at) => Number(/"count":(\d+)/.exec(mark.toString('utf8', at, at + 4096))?.[1]))
      const newer = (counts[1] ?? 0) > (counts[0] ?? 0) ? 4096 : 0
      writeFileSync(markOf(m), mark.fill(0, newer + 40, newer + 512))
    },
    null,
  ],
  [
    'yesterday’s store is copied back',
    (m, before) => cpSync(before.store, m.store),
    /the log ends at event \d+, but it had reached event/,
  ],
  [
    'the log is cut, and its head rewound',
    (m) =>
      edit(
        m,
        `delete from audit_events where seq > 3; delete from audit_subjects where seq > 3;
         update audit_head set seq = 3, hash = (select hash from audit_events where seq = 3)`,
      ),
    /the log ends at event 3, but it had reached event/,
  ],
  ['the log is cut, its head is not', (m) => edit(m, 'delete from audit_events where seq > 3'), /head row of the log/],
  ['the head row is gone', (m) => edit(m, 'delete from audit_head'), /no head row/],
  [
    'the types of the removals are changed',
    (m) => edit(m, `update audit_events set type = 'audit.read' where type in ('principal.locked', 'grant.revoked')`),
    /does not|removals|revocations/,
  ],
  [
    'a removal is changed before the newest checkpoint',
    async (m) => {
      await live(m, [started('ses_3')])
      await live(m, [started('ses_4')])
      edit(m, `update audit_events set type = 'audit.read' where type = 'principal.locked'`)
    },
    removalsDiffer,
  ],
  [
    'whom a removal concerns is changed',
    async (m) => {
      await live(m, [])
      edit(m, `update audit_events set body = replace(body, 'prn_eve', 'prn_mal') where type = 'principal.locked'`)
    },
    removalsDiffer,
  ],
  [
    'a removal is made older than what recovery reads',
    async (m) => {
      await live(m, [])
      edit(m, `update audit_events set at = 1 where type = 'grant.revoked'`)
    },
    removalsDiffer,
  ],
  ['an unlock is put behind the log, well chained', (m) => appendForged(m), /were not written by this broker/],
  [
    'checkpoints are taken out of the store',
    (m) => edit(m, 'delete from audit_checkpoints'),
    /has 0 checkpoints, but there were/,
  ],
  ['the newest checkpoint is changed', (m) => edit(m, "update audit_checkpoints set signature = '00'"), /checkpoint/],
  [
    'store and mark are rolled back together, the anchor is not',
    (m, before) => {
      cpSync(before.store, m.store)
      cpSync(before.stateDir, m.stateDir, { recursive: true })
    },
    /the anchor .* has seen event/,
  ],
  [
    'the log has gone another way than the anchor saw',
    async (m, before) => {
      const anchor = readFileSync(m.anchor)
      for (const name of ['store', 'stateDir', 'anchor'] as const) {
        rmSync(m[name], { recursive: true })
        cpSync(before[name], m[name], { recursive: true })
      }
      await live(m, [started('ses_other'), started('ses_than'), started('ses_before')])
      writeFileSync(m.anchor, anchor)
    },
    /is not the one that the anchor .* has seen/,
  ],
  ['the mark is gone', (m) => remove(markOf(m)), /holds no mark, but .* names one/],
  ['state.dir is gone', (m) => remove(m.stateDir), /holds no mark, but .* names one/],
  ['the mark is damaged in both slots', (m) => writeFileSync(markOf(m), Buffer.alloc(8192, 7)), /does not verify/],
  ['the mark is empty', (m) => writeFileSync(markOf(m), ''), /does not verify/],
  [
    'the mark is that of another machine',
    async (m) => {
      const other = newMachine(t)
      await live(other, [])
      cpSync(markOf(other), markOf(m))
    },
    /does not verify: it is damaged, or was made under other keys/,
  ],
  [
    'the store is deleted',
    (m) => {
      for (const name of readdirSync(m.dir)) if (name.startsWith('sallyport.db')) remove(path.join(m.dir, name))
    },
    /the log ends at event 0, but it had reached event/,
  ],
]

const before = copyOf(t, whole)
await live(before, [started('ses_3')])
const after = copyOf(t, before)
await live(after, [started('ses_later'), ended('grt_later')])

for (const [what, change, why] of rows)
  await t.test(`C1: ${what}: ${why ? 'nothing opens' : 'it opens'}`, async (t) => {
    const machine = copyOf(t, after)
    await change(machine, before)
    const found = await judge(machine)
    if (why) t.match(found, why)
    else t.equal(found, null)
    t.equal(await live(machine, [started('ses_next')]), found, 'looking changes nothing')
  })

await t.test(
  'C1: a store that is put back row by row, while a daemon starts on what is there: once whole, it opens',
  async (t) => {
    const machine = copyOf(t, after)
    const tables = tablesOf(machine)
    const each = (what: (table: string) => string) => tables.map((table) => `${what(table)};`).join('')
    edit(machine, `pragma foreign_keys = off; ${each((table) => `delete from ${table}`)}`)
    t.match(await judge(machine), /the log ends at event 0, but it had reached event/)
    const putBack = each((table) => `insert or ignore into ${table} select * from old.${table}`)
    edit(machine, `pragma foreign_keys = off; attach '${after.store}' as old; ${putBack}`)
    t.equal(await judge(machine), null)
  },
)

await t.test('C1: a store of a version without marks opens once; from then on its mark is missed', async (t) => {
  const machine = newMachine(t)
  await live(machine, events)
  edit(machine, withoutMarks)
  remove(markOf(machine))
  remove(machine.anchor)
  t.equal(await live(machine, []), null)
  t.same(marksIn(machine), [1])
  t.equal(await live(machine, []), null)
  t.same(marksIn(machine), [1], 'it is made and audited once')
  remove(markOf(machine))
  t.match(await judge(machine), /holds no mark, but .* names one/)
})

await t.test('C1: an anchor alone shows that there was a mark', async (t) => {
  const machine = newMachine(t)
  await live(machine, events)
  edit(machine, withoutMarks)
  remove(markOf(machine))
  t.match(await judge(machine), /holds no mark, but the anchor .* names one/)
})

/** Those of the broker's own rows. */
function tablesOf(machine: Machine): string[] {
  const db = new DatabaseSync(machine.store)
  const rows = db.prepare("select name from sqlite_master where type = 'table' and name not like '%migration%'").all()
  db.close()
  return rows.map(({ name }) => String(name)).filter((name) => !name.startsWith('sqlite_'))
}

function marksIn(machine: Machine): unknown[] {
  const db = new DatabaseSync(machine.store)
  const rows = db.prepare("select seq from audit_events where type = 'mark.created'").all()
  db.close()
  return rows.map(({ seq }) => seq)
}

/** With a right hash and a right head, as anyone can who can write to the store. */
function appendForged(machine: Machine): void {
  const db = new DatabaseSync(machine.store)
  const head = db.prepare('select seq, hash from audit_head').get() as { seq: number; hash: string }
  const event = {
    at: Date.now(),
    type: 'principal.unlocked',
    actor: 'prn_carol',
    body: '{"principal":"prn_eve"}',
    text_digest: null,
  }
  const row = link(event, head.seq + 1, head.hash)
  db.prepare(
    `insert into audit_events (seq, at, type, actor, body, text_digest, prev_hash, hash)
     values (:seq, :at, :type, :actor, :body, :text_digest, :prev_hash, :hash)`,
  ).run({ ...row })
  db.prepare('update audit_head set seq = ?, hash = ?').run(row.seq, row.hash)
  db.close()
}
