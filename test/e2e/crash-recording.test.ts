/** Family A: `kill -9` at random moments of work: what ran at the target is in the recording (A1, A2). */
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { startDaemon } from '../sandbox/daemon.ts'
import { resourceId } from '../sandbox/daemon-files.ts'
import { quietFor, waitUntil } from '../wait-until.ts'
import { startCompany } from './company.ts'
import { clientFor, issueToken } from './database-client.ts'
import { random, seed } from './random.ts'

const kills = Number(process.env.SALLYPORT_KILLS ?? 2)
t.setTimeout(120_000 + kills * 60_000)
t.comment(`${kills} kills, SALLYPORT_SEED=${seed}`)

/** What the promise allows: whatever was forwarded longer before is on file. */
const promisedMs = 100

const databases = ['orders', 'billing'] as const
type Database = (typeof databases)[number]
const level = { db_user: 'sallyport_rw' }
const company = await startCompany({
  overrides: {
    levels: [
      { for: { ids: [resourceId('orders')] }, readonly: level },
      { for: { ids: [resourceId('billing')] }, readonly: { ...level, recording: 'strict' } },
    ],
    access: [
      {
        name: 'engineers-write',
        who: { groups: ['engineering'] },
        what: { kinds: ['rds-postgres'] },
        levels: ['readonly'],
        max_duration: '8h',
        approval: { stages: [{ any_of: ['group:database-owners'], count: 1 }] },
      },
    ],
  },
})
t.teardown(() => company.close())
const { postgres } = company.sandbox
for (const database of databases) {
  await postgres.query(database, 'create table ran (name text)')
  await postgres.query(database, 'grant insert on ran to public')
  await company.grant(3_600_000, database)
}

/** When each statement was handed to the socket, epoch milliseconds. */
const sent = new Map<string, number>()
/** Longest that this process's timers came late: the broker is on the same cores. */
let lateMs = 0
let tick = performance.now()
const clock = setInterval(() => {
  lateMs = Math.max(lateMs, performance.now() - tick - 10)
  tick = performance.now()
}, 10)
t.teardown(() => clearInterval(clock))

const lost = { rows: 0, checked: 0 }
for (let round = 1; round <= kills; round += 1)
  await t.test(`T-6: kill ${round} of ${kills}`, async (t) => {
    lateMs = 0
    const clients = await Promise.all(
      [...databases, ...databases].map((database, i) => work(database, `r${round}c${i}`)),
    )
    await Promise.all(clients.map(({ isBusy }) => isBusy))
    await quietFor(random() * 400, 'a random moment')
    company.daemon.signal('SIGKILL')
    const killedAt = Date.now()
    await company.daemon.exited
    await Promise.all(clients.map(({ ended }) => ended))
    const onFile = recordings()
    for (const database of databases) {
      await waitUntil(() => isQuiet(database), 'the target has finished')
      const { rows } = await postgres.query(database, `select name from ran where name like 'r${round}c%'`)
      const mayBeMissing = (name: string) =>
        database === 'orders' && (sent.get(name) ?? 0) > killedAt - promisedMs - lateMs
      const missing = rows.map(({ name }) => name as string).filter((name) => !onFile.includes(name))
      lost.rows += missing.length
      lost.checked += rows.length
      t.same(
        missing.filter((name) => !mayBeMissing(name)),
        [],
        `${rows.length} rows of ${database}, timers late by ${Math.ceil(lateMs)} ms`,
      )
    }
    company.daemon = await startDaemon(company.sandbox, { files: company.daemon, readyWithinMs: 60_000 })
  })

await t.test('the log verifies after all of it', async (t) => {
  t.comment(`${lost.checked} rows checked; ${lost.rows} of the last ${promisedMs} ms are not on file`)
  const report = await company.api<{ ok: boolean; summary: string }>('carol', 'GET', '/api/v1/audit/verify')
  t.equal(report.ok, true, report.summary)
})

await t.test(
  'T-6: what a kill broke off is listed with its reason, and a file that is missing as missing',
  async (t) => {
    interface Listed {
      readonly id: string
      readonly endReason: string | null
      readonly entries: number
    }
    const { items } = await company.api<{ items: Listed[] }>('carol', 'GET', '/api/v1/recordings?limit=1000')
    const broken = items.filter(({ endReason }) => endReason === 'daemon-lost')
    t.ok(broken.length >= kills, `${broken.length} of ${items.length}`)
    const [lost] = broken
    const { run } = company.commands.carol
    t.match(await run(['recordings', 'play', lost?.id ?? '']), {
      code: 0,
      stdout: /\(daemon-lost\)[\s\S]*recording verified/,
    })
    const file = recordingFiles().find((name) => name.includes(lost?.id ?? 'none'))
    rmSync(file ?? 'none')
    t.match(await run(['recordings', 'play', lost?.id ?? '']), {
      stdout: '',
      stderr: /there is no recording of session/,
    })
    t.match(await run(['recordings', 'search', 'nowhere in it']), {
      stderr: new RegExp(`${lost?.id}.*there is no recording`),
    })
    t.match(await company.api('carol', 'GET', '/api/v1/audit/verify'), { ok: false })
  },
)

/** One client that inserts until the daemon is gone, in each way that a statement can come. */
async function work(database: Database, prefix: string) {
  const token = await issueToken(company, 'alice', { resource: database })
  const client = clientFor(company, token, database)
  client.on('error', () => {}) // the daemon is killed
  await client.connect()
  const { promise: isBusy, resolve } = Promise.withResolvers<void>()
  let count = 0
  const name = () => {
    count += 1
    const made = `${prefix}n${count}.`
    sent.set(made, Date.now())
    return made
  }
  const loop = async () => {
    for (;;) {
      await client.query(`insert into ran values ('${name()}')`)
      await client.query('insert into ran values ($1)', [name()])
      await client.query({ name: 'kept', text: 'insert into ran values ($1)', values: [name()] })
      await client.query(Array.from({ length: 3 }, () => `insert into ran values ('${name()}')`).join(';'))
      if (random() < 0.2) await client.query(`insert into ran select '${name()}' from pg_sleep(${random() * 0.3})`)
      if (count > 20) resolve()
    }
  }
  return { isBusy, ended: loop().catch(() => {}) }
}

/** All recordings, as they are on file. */
function recordings(): string {
  return recordingFiles()
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n')
}

function recordingFiles(): string[] {
  const dir = company.daemon.recordingsDir
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.jsonl'))
    .map((name) => path.join(dir, name))
}

async function isQuiet(database: Database): Promise<boolean> {
  const { rows } = await postgres.query(
    database,
    "select 1 from pg_stat_activity where datname = $1 and usename = 'sallyport_rw'",
    [database],
  )
  return rows.length === 0
}
