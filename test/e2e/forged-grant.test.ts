/** Somebody writes into the database beside the broker: what they wrote lends nothing, and is named. */
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { skipInShortRun } from '../long.ts'
import { startDaemon } from '../sandbox/daemon.ts'
import { resourceId } from '../sandbox/daemon-files.ts'
import { startCompany } from './company.ts'
import { issueToken, openDatabase } from './database-client.ts'

interface Report {
  readonly ok: boolean
  readonly problems: readonly { readonly where: string; readonly at: unknown; readonly what: string }[]
}

const company = await startCompany()
t.teardown(() => company.close())

type Values = Readonly<Record<string, string | number>>

/** As the owner of the store; of a file, who must stop the daemon: it holds the lock. */
async function withoutDaemon(sql: string, values: Values): Promise<Record<string, unknown>[]> {
  await company.daemon.stop()
  const rows = await askStore(sql, values)
  company.daemon = await startDaemon(company.sandbox, { files: company.daemon })
  return rows
}

async function askStore(sql: string, values: Values): Promise<Record<string, unknown>[]> {
  const { stores } = company.sandbox
  if (stores) {
    const names = Object.keys(values)
    const numbered = sql.replace(/:(\w+)/g, (_, name) => `$${names.indexOf(name) + 1}`)
    const database = new URL(company.daemon.storeUrl).pathname.slice(1)
    return (await stores.server.query(database, numbered, Object.values(values))).rows
  }
  using db = new DatabaseSync(company.daemon.databaseFile)
  return db.prepare(sql).all(values) as Record<string, unknown>[]
}

async function forge(sql: string, values: Values): Promise<void> {
  const rows = await withoutDaemon(`${sql} returning id`, values)
  if (rows.length !== 1) throw new Error(`${sql}: changed ${rows.length} rows`)
}

async function isRefusedAndReported(t: Tap, grantId: string): Promise<void> {
  await t.rejects(issueToken(company), /GRANT_TAMPERED/, 'no token is issued for it')
  const connect = await company.commands.alice.run(['connect', 'orders'])
  t.equal(connect.code, 4)
  t.match(connect.stderr, /GRANT_TAMPERED|signature/)
  const { events } = await company.api<{ events: { type: string; fields: Record<string, unknown> }[] }>(
    'carol',
    'GET',
    `/api/v1/audit/events?type=grant.tampered&subject=${grantId}`,
  )
  t.match(events, [{ type: 'grant.tampered', fields: { grant: grantId } }], 'the log names it')
  const report = await company.api<Report>('carol', 'GET', '/api/v1/audit/verify')
  t.equal(report.ok, false)
  t.ok(
    report.problems.some(({ where, at }) => where === 'grant' && at === grantId),
    'and so does `audit verify`',
  )
}

type Tap = Pick<typeof t, 'equal' | 'match' | 'ok' | 'rejects'>

/** What the next test must not find. */
function remove(grantId: string): Promise<void> {
  return forge('delete from grants where id = :grantId', { grantId })
}

const copied =
  'request_id, principal_id, resource_id, target_id, kind, level, login_name, starts_at, ends_at, rule_name, rule_digest, level_digest, state, ended_at, end_reason, end_text, version, mac'

await t.test('a grant that nobody gave: a copy of a good one, with another id', async (t) => {
  const { id } = await company.grant()
  const forged = `grt_${'0'.repeat(25)}1`
  await forge(`insert into grants (id, ${copied}) select :forged, ${copied} from grants where id = :id`, { forged, id })
  await company.api('alice', 'POST', `/api/v1/grants/${id}/return`, {})
  await isRefusedAndReported(t, forged)
  await remove(forged)
})

const changes = {
  'made longer': 'update grants set ends_at = ends_at + 86400000 where id = :id',
  'put on a stronger level': "update grants set level = 'admin' where id = :id",
  'put on another resource': `update grants set resource_id = '${resourceId('billing')}' where id = :id`,
  'given to somebody else':
    'update grants set principal_id = (select id from principals where email_key like :who) where id = :id',
}

for (const [what, sql] of Object.entries(changes))
  await t.test(`a good grant is ${what}`, { skip: what !== 'put on a stronger level' && skipInShortRun }, async (t) => {
    const { id } = await company.grant()
    const who = sql.includes(':who') ? { who: 'dave%' } : {}
    await forge(sql, { id, ...who })
    if (sql.includes('resource_id')) {
      await t.rejects(issueToken(company, 'alice', { resource: 'billing' }), /GRANT_TAMPERED|RESOURCE_UNKNOWN/)
      await t.rejects(issueToken(company), /GRANT_DENIED/)
    } else if (sql.includes('principal_id')) {
      await t.rejects(issueToken(company, 'dave'), /GRANT_TAMPERED|RESOURCE_UNKNOWN/)
      await t.rejects(issueToken(company), /GRANT_DENIED/)
    } else await isRefusedAndReported(t, id)
    const report = await company.api<Report>('carol', 'GET', '/api/v1/audit/verify')
    t.ok(report.problems.some(({ where, at }) => where === 'grant' && at === id))
    await remove(id)
  })

await t.test('a revoked grant is revived with the row it had before', async (t) => {
  const { id } = await company.grant()
  const [row] = await withoutDaemon('select state, version, mac from grants where id = :id', { id })
  await company.api('bob', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'done' })
  await forge(
    `update grants set state = :state, ended_at = null, end_reason = null, end_text = null, version = :version, mac = :mac
     where id = :id`,
    { id, state: String(row?.state), version: Number(row?.version), mac: String(row?.mac) },
  )
  await t.rejects(issueToken(company), /GRANT_TAMPERED/, 'its signature is good, and the log knows a later version')
  await remove(id)
})

await t.test('and a grant that was left alone works as ever', async (t) => {
  await company.grant()
  const { client } = await openDatabase(company)
  t.equal((await client.query('select 1')).rowCount, 1)
  await client.end()
})
