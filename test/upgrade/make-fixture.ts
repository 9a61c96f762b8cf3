/**
 * `npm run fixture`: a small company's history by the daemon as it is now, kept in `test/fixtures/upgrade/COMMIT` for
 * `test/e2e/upgrade.test.ts`. Run once for each release, and never again for the same one: what is there is never edited.
 */
import { partialDeepStrictEqual } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'
import { type Company, companyIn } from '../e2e/company.ts'
import { clientFor, issueToken, openDatabase } from '../e2e/database-client.ts'
import { startDaemon } from '../sandbox/daemon.ts'
import { startSandbox } from '../sandbox/sandbox.ts'
import { fixturesDir, issuerPort, type Manifest, type OldSession, writeFixture } from './fixture.ts'

const longest = 8 * 3_600_000 // as the rules of the sandbox allow
const year = 365 * 86_400_000
const lastWords = "select 'open when the daemon was killed'"

const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8' }).trim()
if (git('status', '--porcelain', '--', 'src', 'proxy') !== '') throw new Error('commit what changes the daemon first')
const commit = git('log', '-1', '--format=%h', '--abbrev=7', '--', 'src', 'proxy')
const folder = path.join(fixturesDir, commit)
if (existsSync(folder)) throw new Error(`there is one of ${commit}, and it stays as it is`)

const sandbox = await startSandbox({ oidc: { port: issuerPort } })
try {
  const company = await companyIn(sandbox)
  const told = await tell(company)
  const { events, hash } = closeStore(company)
  const audit = { events, hash, publicKeyPem: company.daemon.publicKeyPem() }
  const manifest = { commit, madeAt: Date.now(), issuer: sandbox.oidc.issuer, audit, ...told }
  mkdirSync(folder, { recursive: true })
  writeFixture(sandbox, company.daemon, { folder, manifest })
  process.stdout.write(`${path.relative('.', folder)}: ${events} events, ${told.sessions.length} sessions\n`)
} finally {
  await sandbox.close()
}

/** Everything happens once; the daemon is stopped in between, and killed at the end. */
async function tell(company: Company): Promise<Omit<Manifest, 'commit' | 'madeAt' | 'issuer' | 'audit'>> {
  await lockAndUnlock(company)
  const grants = await askAndDecide(company)
  const service = await serviceAccount(company)
  const { accessKeyId, session } = await byRole(company)
  const recorded = {
    ...(await byPsql(company)),
    ...(await byDriver(company)),
    [session]: [
      { type: 'issued', access_key: accessKeyId },
      { type: 'handed-out', access_key: accessKeyId, tool: 'a report' },
    ],
  }
  await company.daemon.stop()
  company.daemon = await startDaemon(company.sandbox, { files: company.daemon })

  const connect = await issueToken(company, 'alice')
  const client = clientFor(company, connect)
  client.on('error', () => {}) // the daemon is killed under it
  await client.connect()
  await client.query(lastWords)
  const locked = await company.api<{ principal: { id: string } }>(
    'dave',
    'POST',
    '/api/v1/principals/bob@example.com/lock',
    { reason: 'laptop stolen' },
  )
  const sessions = await listSessions(company)
  const open = sessions.find(({ endedAt }) => endedAt === null)
  if (!open) throw new Error('no session is open')
  const recordings = { ...recorded, [open.id]: [{ type: 'query', sql: lastWords, rows: 1 }] }
  for (const [id, entries] of Object.entries(recordings)) await checkRecording(company, id, entries)
  const lists = await listAll(company)
  company.daemon.signal('SIGKILL')
  await company.daemon.exited
  return {
    ...lists,
    sessions,
    recordings,
    tokens: {
      api: service.token,
      login: { token: loginToken(company) },
      connect: { id: connect.id, token: connect.token },
    },
    credentials: { accessKeyId, session },
    marked: {
      liveGrants: { ...grants.live, selfService: service.grant },
      pendingRequest: grants.pending,
      openSession: open.id,
      lockedPrincipal: locked.principal.id,
    },
  }
}

async function lockAndUnlock({ api, signIn }: Company): Promise<void> {
  await api('dave', 'POST', '/api/v1/principals/carol@example.com/lock', { reason: 'on leave' })
  await api('dave', 'POST', '/api/v1/principals/carol@example.com/unlock', { reason: 'back' })
  await signIn(['carol'])
}

/** Grants that are live, revoked, given back and run out; requests that are denied, withdrawn and pending. */
async function askAndDecide(company: Company) {
  const { api } = company
  const { id: orders } = await company.grant(longest)
  const { id: role } = await company.grant(longest, 'ReportsReader')
  const revoked = await company.grant(longest, 'Deployer')
  await api('bob', 'POST', `/api/v1/grants/${revoked.id}/revoke`, { reason: 'incident 42' })
  const returned = await company.grant(longest, 'Personal')
  await api('alice', 'POST', `/api/v1/grants/${returned.id}/return`, {})
  await company.grant(1000, 'Personal')
  const ask = async () => {
    const { request } = await api<{ request: { id: string; digest: string } }>('alice', 'POST', '/api/v1/requests', {
      resource: 'Deployer',
      level: 'full',
      durationMs: longest,
      reason: 'release 7 – «été»',
    })
    return request
  }
  const denied = await ask()
  const { id: withdrawn } = await ask()
  const { id: pending } = await ask()
  const shown = await api<{ request: { digest: string } }>('bob', 'GET', `/api/v1/requests/${denied.id}`)
  await api('bob', 'POST', `/api/v1/requests/${denied.id}/deny`, { digest: shown.request.digest, comment: 'not today' })
  await api('alice', 'POST', `/api/v1/requests/${withdrawn}/cancel`, {})
  return { live: { orders, role }, pending }
}

/** It asks for itself, by a rule that needs nobody. */
async function serviceAccount({ api, daemon }: Company) {
  const principal = 'nightly-report'
  await api('dave', 'POST', '/api/v1/service-accounts', { name: principal, groups: ['database-owners'] })
  const { id, token } = await api<{ id: string; token: string }>('dave', 'POST', '/api/v1/tokens', {
    name: 'cron',
    scopes: ['read', 'request', 'connect'],
    durationMs: year,
    serviceAccount: principal,
  })
  const response = await fetch(`${daemon.url}/api/v1/requests`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ resource: 'billing', level: 'readonly', durationMs: longest / 2 }),
  })
  const { grant } = (await response.json()) as { grant: { id: string } | null }
  if (!grant) throw new Error('nothing was granted to the service account')
  return { token: { id, token, principal }, grant: grant.id }
}

function byRole({ api }: Company) {
  const body = { resource: 'ReportsReader', tool: 'a report' }
  return api<{ accessKeyId: string; session: string }>('alice', 'POST', '/api/v1/aws/credentials', body)
}

/** The simple protocol: an answer, an error and a COPY. */
async function byPsql(company: Company) {
  const sql = [
    'select id, status from orders order by id limit 3',
    'select nothing from nowhere',
    'copy (select id, name from customers order by id limit 2) to stdout',
  ]
  const ran = await company.commands.alice.run(['psql', 'orders', '--', ...sql.flatMap((one) => ['-c', one])])
  if (ran.code !== 0) throw new Error(`psql: ${ran.stderr}`)
  const [newest] = await listSessions(company)
  return {
    [newest?.id ?? '']: [
      { type: 'query', sql: sql[0], rows: 3, tags: ['SELECT 3'] },
      { type: 'query', sql: sql[1], error: { code: '42P01', message: 'relation "nowhere" does not exist' } },
      { type: 'query', sql: sql[2], tags: ['COPY 2'], copyOut: { messages: 2 } },
    ],
  }
}

/** The extended protocol: values of several types, NULL among them, a named statement, and an error of a value. */
async function byDriver(company: Company) {
  const { client, sessionId } = await openDatabase(company)
  const byValues = 'select id from orders where id = $1 and total > $2 and ($3::text is null or status = $3)'
  const named = { name: 'by-city', text: 'select name from customers where city = $1 limit 1' }
  const divide = 'select 1 / $1::int'
  await client.query(byValues, [17, 0.5, null])
  await client.query({ ...named, values: ['Ghent'] })
  await client.query({ ...named, values: ['Jena'] })
  await client.query(divide, [0]).catch((error: unknown) => {
    if (!(error instanceof pg.DatabaseError)) throw error
  })
  await client.end()
  return {
    [sessionId]: [
      { type: 'query', sql: "select current_setting('application_name') as name" },
      { type: 'execute', sql: byValues, values: ['17', '0.5', null], rows: 1 },
      { type: 'execute', sql: named.text, values: ['Ghent'] },
      { type: 'execute', sql: named.text, values: ['Jena'] },
      { type: 'bind', sql: divide, values: ['0'], error: { code: '22012' } },
    ],
  }
}

async function listSessions(company: Company): Promise<OldSession[]> {
  const { sessions } = await company.api<{ sessions: OldSession[] }>('carol', 'GET', '/api/v1/sessions')
  return sessions.map(({ id, principal, grantId, resourceId, kind, openedAt, endedAt, endReason, recording }) => ({
    ...{ id, principal, grantId, resourceId, kind, openedAt, endedAt, endReason, recording },
  }))
}

async function listAll({ api }: Company): Promise<Pick<Manifest, 'principals' | 'grants' | 'requests'>> {
  const { principals } = await api<Pick<Manifest, 'principals'>>('dave', 'GET', '/api/v1/principals')
  const { grants } = await api<Pick<Manifest, 'grants'>>('dave', 'GET', '/api/v1/grants?all=true')
  const { requests } = await api<Pick<Manifest, 'requests'>>('dave', 'GET', '/api/v1/requests?all=true')
  return {
    principals: principals.map(({ id, kind, name, groups, lockedAt }) => ({ id, kind, name, groups, lockedAt })),
    grants: grants.map((grant) => {
      const { id, requestId, principal, resourceId, level, rule, startsAt, endsAt } = grant
      const { state, endedAt, endReason, endText } = grant
      return { id, requestId, principal, resourceId, level, rule, startsAt, endsAt, state, endedAt, endReason, endText }
    }),
    requests: requests.map((request) => {
      const { id, requester, resourceId, level, durationMs, reason, digest } = request
      const { status, statusReason, expiresAt, decisions, grantId } = request
      const asked = { id, requester, resourceId, level, durationMs, reason, digest }
      return { ...asked, status, statusReason, expiresAt, decisions, grantId }
    }),
  }
}

/** What the manifest promises is what this daemon plays. @throws AssertionError */
async function checkRecording({ commands }: Company, session: string, entries: readonly object[]): Promise<void> {
  const { stdout } = await commands.carol.run(['recordings', 'play', session, '--json'])
  const [, ...played] = stdout.trimEnd().split('\n')
  partialDeepStrictEqual(
    played.map((line) => JSON.parse(line)),
    entries,
  )
  if (played.length !== entries.length) throw new Error(`${session}: ${played.length} entries`)
}

function loginToken({ commands, daemon }: Company): string {
  const file = path.join(commands.alice.env.SALLYPORT_HOME ?? '', 'login.json')
  const { servers } = JSON.parse(readFileSync(file, 'utf8')) as { servers: Record<string, { token: string }> }
  return servers[daemon.url]?.token ?? ''
}

/** Brings what the killed daemon left in its write-ahead log into the file, as its own next start would. */
function closeStore({ daemon }: Company): { events: number; hash: string } {
  const db = new DatabaseSync(daemon.databaseFile)
  db.exec('pragma wal_checkpoint(truncate)')
  const head = db.prepare('select seq, hash from audit_events order by seq desc limit 1').get()
  db.close()
  return { events: Number(head?.seq), hash: String(head?.hash) }
}
