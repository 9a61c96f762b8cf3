/** The three ways to undo a revocation with the store alone: each ends closed, and after a confirmed restore nothing old works. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { startCompany } from '../e2e/company.ts'
import { clientFor, issueToken, refusal } from '../e2e/database-client.ts'
import { skipInShortRun } from '../long.ts'
import { startDaemon } from '../sandbox/daemon.ts'

const company = await startCompany()
t.teardown(() => company.close())
const { sandbox } = company
const files = company.daemon
t.setTimeout(600_000)

const grant = await company.grant()
const token = await issueToken(company)
await company.api('alice', 'GET', '/api/v1/grants')
await company.daemon.stop()
const yesterday = mkdtempSync(path.join(sandbox.dir, 'yesterday-'))
const today = mkdtempSync(path.join(sandbox.dir, 'today-'))
cpSync(files.databaseFile, path.join(yesterday, 'sallyport.db'))

company.daemon = await startDaemon(sandbox, { files })
await company.api('bob', 'POST', `/api/v1/grants/${grant.id}/revoke`, { reason: 'incident 42' })
const lost = await company.grant()
const lostToken = await issueToken(company)
await company.api('dave', 'POST', `/api/v1/principals/${encodeURIComponent('alice@example.com')}/lock`, {
  reason: 'gone',
})
await company.daemon.stop()
for (const name of ['sallyport.db', 'state', 'anchor.jsonl'])
  cpSync(path.join(files.dir, name), path.join(today, name), { recursive: true })

const tables = ['principals', 'logins', 'api_tokens', 'connect_tokens', 'requests', 'decisions', 'grants', 'sessions']

/** The rows as they were yesterday, with their MACs; the log stays. */
function putRowsBack(db: DatabaseSync): void {
  db.exec(`attach '${path.join(yesterday, 'sallyport.db')}' as old`)
  for (const table of tables) db.exec(`delete from ${table}; insert into ${table} select * from old.${table}`)
}

const headOfYesterday = '(select seq from old.audit_head)'

const exploits: Readonly<Record<string, (db: DatabaseSync) => void>> = {
  'a: the types of the removals are changed': (db) => {
    putRowsBack(db)
    db.exec("update audit_events set type = 'audit.read' where type in ('grant.revoked', 'principal.locked')")
  },
  'b: the log is cut and its head rewound': (db) => {
    putRowsBack(db)
    for (const table of ['audit_events', 'audit_texts', 'audit_subjects'])
      db.exec(`delete from ${table} where seq > ${headOfYesterday}`)
    db.exec('delete from audit_checkpoints where n > (select max(n) from old.audit_checkpoints)')
    db.exec('delete from audit_head; insert into audit_head select * from old.audit_head')
  },
  'c: yesterday’s file is copied back': () => {
    cpSync(path.join(yesterday, 'sallyport.db'), files.databaseFile)
  },
}

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

/** On the daemon's host, with what the daemon is started with. */
function restore(...more: string[]): { code: number | null; stdout: string; stderr: string } {
  const args = [main, 'restore', '--config', files.configFile, ...more]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { env: files.env, encoding: 'utf8' })
  return { code: status, stdout, stderr }
}

// What commands say is the same for each of them.
for (const [i, [name, exploit]] of Object.entries(exploits).entries())
  await t.test(`C1 ${name}`, { skip: i > 0 && skipInShortRun }, async (t) => {
    const isFirst = i === 0
    for (const part of readdirSync(today)) {
      rmSync(path.join(files.dir, part), { recursive: true })
      cpSync(path.join(today, part), path.join(files.dir, part), { recursive: true })
    }
    const db = new DatabaseSync(files.databaseFile)
    exploit(db)
    db.close()

    company.daemon = await startDaemon(sandbox, { files, closed: true })
    t.match(await refusal(clientFor(company, token)), { code: '57P03', message: /does not trust its store/ })
    for (const route of ['/api/v1/requests', '/api/v1/grants', '/login', '/nowhere']) {
      const response = await company.call('carol', 'GET', route)
      t.equal(response.status, 503, route)
      t.match(await response.json(), { code: 'RESTORE_UNCONFIRMED' }, route)
    }
    const health = (await (await fetch(`${files.url}/readyz`)).json()) as { problems: string[] }
    const code = /--confirm ([0-9a-f]{12})/.exec(health.problems.join())?.[1] ?? ''
    if (isFirst) {
      t.match((await company.commands.dave.run(['ls'])).stderr, /does not trust its store/, 'the command line says so')
      t.match(restore('--confirm', code), { stderr: /in use by another daemon/ })
    }
    await company.daemon.stop()

    if (isFirst) {
      t.match(restore(), { code: 1, stdout: new RegExp(`--confirm ${code}`) }, 'looking changes nothing')
      t.match(restore('--confirm', '000000000000'), { stderr: /but now it is/ })
    }
    t.match(restore('--confirm', code), { code: 0, stdout: /confirmed: every grant/ })
    if (isFirst) t.match(restore(), { code: 0, stdout: /nothing to confirm/ })

    company.daemon = await startDaemon(sandbox, { files })
    for (const old of [token, lostToken]) t.match(await refusal(clientFor(company, old)), { code: '28P01' })
    t.equal((await company.call('carol', 'GET', '/api/v1/grants')).status, 401, 'no login of before works')
    await company.signIn(['carol', 'dave'])
    const { grants } = await company.api<{ grants: { id: string; state: string }[] }>(
      'dave',
      'GET',
      '/api/v1/grants?all=true',
    )
    t.same(
      grants.filter(({ state }) => state === 'active'),
      [],
      'no grant lives',
    )
    const report = await company.api<{ ok: boolean; summary: string; notes: string[] }>(
      'carol',
      'GET',
      '/api/v1/audit/verify',
    )
    t.match(report.summary, /the log forks at event \d+, by a confirmed restore/)
    t.match(report.notes.join('\n'), /a restore was confirmed/)
    t.equal(report.ok, !name.startsWith('a'), 'what was changed stays named')
    await company.daemon.stop()

    const again = new DatabaseSync(files.databaseFile)
    again.exec(`attach '${path.join(today, 'sallyport.db')}' as lost`)
    again.exec('insert or replace into grants select * from lost.grants')
    again.exec('insert or replace into connect_tokens select * from lost.connect_tokens')
    again.close()
    company.daemon = await startDaemon(sandbox, { files })
    t.match(
      await refusal(clientFor(company, lostToken)),
      { code: '28P01' },
      `rows of ${lost.id} are worth nothing either`,
    )
    await company.daemon.stop()
  })
