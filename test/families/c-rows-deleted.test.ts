/** Rows of sessions and credentials that are changed while the daemon is stopped: the log says what was there. */
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import t from 'tap'
import { type AwsKeys, listBuckets } from '../e2e/aws-tool.ts'
import { startCompany } from '../e2e/company.ts'
import { openDatabase } from '../e2e/database-client.ts'
import { skipInShortRun } from '../long.ts'
import { startDaemon } from '../sandbox/daemon.ts'
import { waitFor, waitUntil } from '../wait-until.ts'

interface Issued extends AwsKeys {
  readonly session: string
}

interface Event {
  readonly type: string
  readonly fields: Readonly<Record<string, unknown>>
}

interface Report {
  readonly ok: boolean
  readonly problems: readonly { readonly where: string; readonly at: unknown; readonly what: string }[]
}

const withinMs = 30_000
const company = await startCompany()
t.teardown(() => company.close())
const { api } = company
const endpoint = company.sandbox.aws.url

const events = async (type: string, subject: string) =>
  (await api<{ events: Event[] }>('carol', 'GET', `/api/v1/audit/events?type=${type}&subject=${subject}`)).events

const verify = () => api<Report>('carol', 'GET', '/api/v1/audit/verify')

/** As the owner of the file. */
async function whileStopped<T>(work: (db: DatabaseSync) => T, how: 'TERM' | 'KILL' = 'TERM'): Promise<T> {
  company.daemon.signal(`SIG${how}`)
  await company.daemon.exited
  const db = new DatabaseSync(company.daemon.databaseFile)
  const result = work(db)
  db.close()
  company.daemon = await startDaemon(company.sandbox, { files: company.daemon })
  return result
}

async function issue() {
  const grant = await company.grant(3_600_000, 'ReportsReader')
  const ask = { resource: 'ReportsReader', level: 'readonly' }
  const keys = await api<Issued>('alice', 'POST', '/api/v1/aws/credentials', ask)
  return { grant, keys }
}

const killed = (keys: Issued) =>
  waitFor(async () => (await events('credentials.killed', keys.accessKeyId))[0], 'the keys are killed', withinMs, 50)

for (const [how, sql] of Object.entries({
  'its row is deleted': 'delete from role_credentials where access_key_id = ?',
  'its row says that it is settled': 'update role_credentials set settled_at = 1 where access_key_id = ?',
  'its row is of another grant, without a MAC':
    "update role_credentials set grant_id = 'grt_other', mac = null where access_key_id = ?",
}))
  await t.test(
    `C2: a credential is killed although ${how}`,
    { skip: !how.endsWith('deleted') && skipInShortRun },
    async (t) => {
      const { grant, keys } = await issue()
      await whileStopped((db) => db.prepare(sql).run(keys.accessKeyId))
      t.match(
        await events('store.refused', keys.accessKeyId),
        [{ fields: { table: 'role_credentials' } }],
        'the log says so',
      )
      t.match(await verify(), { ok: true }, 'the row is as the log says')
      t.ok((await listBuckets(endpoint, keys)).length > 0)
      await api('bob', 'POST', `/api/v1/grants/${grant.id}/revoke`, { reason: 'incident 42' })
      t.match((await killed(keys)).fields, { grant: grant.id, session: keys.session })
      await t.rejects(listBuckets(endpoint, keys), { name: 'AccessDenied' })
      t.match(await verify(), { ok: true })
    },
  )

await t.test('C2: a killed session, and the row put back as it was before', async (t) => {
  const { grant, keys } = await issue()
  const row = await whileStopped(
    (db) => db.prepare('select * from role_credentials where access_key_id = ?').get(keys.accessKeyId) ?? {},
  )
  const again = await api<Issued>('alice', 'POST', '/api/v1/aws/credentials', { resource: 'ReportsReader' })
  t.not(again.session, keys.session, 'the restart ended the session, and its keys live on')
  company.sandbox.aws.faults.deny('iam:CreatePolicyVersion')
  await api('dave', 'POST', `/api/v1/sessions/${again.session}/kill`, { reason: 'looked odd' })
  await waitFor(async () => (await events('credentials.kill-failed', again.session))[0], 'AWS refuses', withinMs, 50)
  const values: SQLInputValue[] = Object.values(row)
  await whileStopped((db) => {
    db.prepare('delete from role_credentials where access_key_id = ?').run(again.accessKeyId)
    db.prepare(`insert or replace into role_credentials values (${values.map(() => '?').join(',')})`).run(...values)
  })
  company.sandbox.aws.faults.clear()
  await killed(again)
  t.same(await events('credentials.killed', keys.accessKeyId), [], 'those of the other session work on')
  await api('bob', 'POST', `/api/v1/grants/${grant.id}/revoke`, { reason: 'incident 42' })
  await killed(keys)
})

await t.test('C2: a session that was open, its row deleted: it is closed all the same', async (t) => {
  await company.grant()
  const { client, sessionId } = await openDatabase(company)
  client.on('error', () => {}) // the daemon is killed
  await whileStopped((db) => db.prepare('delete from sessions where id = ?').run(sessionId), 'KILL')
  await client.end().catch(() => {})
  t.match(await events('store.refused', sessionId), [{ fields: { table: 'sessions', problem: /row is gone/ } }])
  t.match(await events('session.ended', sessionId), [{ fields: { reason: 'daemon-lost', digest: /^[0-9a-f]{64}$/ } }])
  const { sessions } = await api<{ sessions: { id: string }[] }>('carol', 'GET', '/api/v1/sessions')
  t.match(
    sessions.find(({ id }) => id === sessionId),
    { endReason: 'daemon-lost', principal: 'alice@example.com' },
    'it is listed again',
  )
  t.match(await verify(), { ok: true })
})

await t.test('C2: sessions that are over: `audit verify` names each row that is not what the log says', async (t) => {
  await company.grant()
  const open = async () => {
    const { client, sessionId } = await openDatabase(company)
    await client.end()
    await waitUntil(async () => (await events('session.ended', sessionId)).length > 0, 'it is over', withinMs, 50)
    return sessionId
  }
  const [gone, foreign, other, forged] = [await open(), await open(), await open(), await open()]
  await whileStopped(() => {}) // what the run before the last has opened is not looked at by the start
  await whileStopped((db) => {
    db.prepare('delete from sessions where id = ?').run(gone)
    db.prepare("update sessions set principal_id = 'prn_bob' where id = ?").run(foreign)
    db.prepare("update sessions set recording_digest = 'x', end_reason = 'idle' where id = ?").run(other)
    db.prepare("update sessions set client_address = '10.0.0.1' where id = ?").run(forged)
  })
  const { ok, problems } = await verify()
  t.equal(ok, false)
  const of = (id: string) =>
    problems.filter(({ where, at }) => where === 'session' && at === id).map(({ what }) => what)
  t.match(of(gone), [/gone/, /gone/])
  t.match(of(foreign), [/principal/, /signature/])
  t.match(of(other), [/reason, digest/])
  t.match(of(forged), [/signature/])
  t.equal(new Set(problems.map(({ at }) => at)).size, 4, 'and nothing else')
})
