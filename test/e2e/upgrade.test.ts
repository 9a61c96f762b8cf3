/** A later daemon on what an earlier one left: it starts, serves, plays and proves, that very day and a year later. */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import type { RunningDaemon } from '../sandbox/daemon.ts'
import { moveTo } from '../sandbox/movable-clock.ts'
import { isFree } from '../sandbox/ports.ts'
import { type Sandbox, startSandbox } from '../sandbox/sandbox.ts'
import { type Fixture, type Manifest, placeFixture, readFixtures } from '../upgrade/fixture.ts'
import { waitFor, waitUntil } from '../wait-until.ts'
import { type Company, companyIn } from './company.ts'
import { clientFor, issueToken, openDatabase } from './database-client.ts'

const dayMs = 86_400_000
const now = Date.now()
const fixtures = readFixtures()
t.setTimeout(120_000 * fixtures.length)

for (const fixture of fixtures)
  await t.test(`a store of ${fixture.manifest.commit}`, async (t) => {
    const { manifest } = fixture
    moveTo(now) // TLS goes by the clock of the machine, whatever this process is told
    const sandbox = await startSandbox({ oidc: { port: await issuerPort(manifest) } })
    t.teardown(() => sandbox.close())

    await t.test('on the day it was made: what was given still holds', async (t) => {
      moveTo(manifest.madeAt + 60_000)
      const company = await upgrade(t, sandbox, fixture, 'same-day')
      await t.test('lists', (t) => listsAreKept(t, company, manifest))
      await t.test('recordings', (t) => recordingsPlay(t, company, manifest))
      await t.test('tokens', (t) => tokensWork(t, company, manifest))
      await t.test('the lock', (t) => lockHolds(t, company, manifest))
      await t.test('a request that was pending is approved as it was shown then', async (t) => {
        const { id, digest } = find(manifest.requests, manifest.marked.pendingRequest)
        await company.api('bob', 'POST', `/api/v1/requests/${id}/approve`, { digest })
        const ask = { resource: 'Deployer', level: 'full' }
        t.match(await company.api('alice', 'POST', '/api/v1/aws/credentials', ask), { accessKeyId: /^ASIA/ })
      })
      await t.test('a grant is revoked: the keys that the earlier daemon handed out die', async (t) => {
        const { liveGrants } = manifest.marked
        await company.api('bob', 'POST', `/api/v1/grants/${liveGrants.role}/revoke`, { reason: 'incident 43' })
        const { accessKeyId, session } = manifest.credentials
        const killed = await waitFor(
          async () => {
            const found = await events(company, 'credentials.killed')
            return found.find(({ fields }) => fields.session === session)
          },
          'the keys are killed',
          20_000,
          50,
        )
        t.match(killed.fields, { grant: liveGrants.role, access_keys: [accessKeyId] })
      })
      await newSession(t, company)
      await t.test('the audit log', (t) => logIsProven(t, company, fixture))
    })

    await t.test('a year later: everything has run out, and nothing counts as forged', async (t) => {
      moveTo(manifest.madeAt + 400 * dayMs)
      const company = await upgrade(t, sandbox, fixture, 'next-year')
      await t.test('lists', (t) => listsAreKept(t, company, manifest, overSince))
      await t.test('recordings', (t) => recordingsPlay(t, company, manifest))
      await t.test('tokens', (t) => tokensAreDead(t, company, manifest))
      await t.test('the lock', (t) => lockHolds(t, company, manifest))
      await company.grant()
      await newSession(t, company)
      await t.test('the audit log', (t) => logIsProven(t, company, fixture))
    })
  })

type Tap = Pick<typeof t, 'test' | 'teardown' | 'equal' | 'match' | 'notMatch' | 'ok' | 'rejects' | 'same'>

interface Event {
  readonly seq: number
  readonly type: string
  readonly hash: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** Everybody signs in but who is locked. */
async function upgrade(t: Tap, sandbox: Sandbox, fixture: Fixture, name: string): Promise<Company> {
  const files = await placeFixture(sandbox, fixture, path.join(sandbox.dir, name))
  const company = await companyIn(sandbox, { files }, ['alice', 'carol', 'dave'])
  t.teardown(() => company.daemon.stop())
  return company
}

type Lists = Pick<Manifest, 'principals' | 'grants' | 'requests' | 'sessions'>

/** @param changed what time has made of some of it */
async function listsAreKept(t: Tap, { api, daemon }: Company, manifest: Manifest, changed = asItWas): Promise<void> {
  const lists: Lists = {
    ...(await api<Pick<Lists, 'principals'>>('dave', 'GET', '/api/v1/principals')),
    ...(await api<Pick<Lists, 'grants'>>('dave', 'GET', '/api/v1/grants?all=true')),
    ...(await api<Pick<Lists, 'requests'>>('dave', 'GET', '/api/v1/requests?all=true')),
    ...(await api<Pick<Lists, 'sessions'>>('carol', 'GET', '/api/v1/sessions')),
  }
  const lost = { endedAt: Number, endReason: 'daemon-lost', recording: { digest: /^[0-9a-f]{64}$/, entries: 1 } }
  const expected = {
    principals: manifest.principals.map(withOwnersGroups),
    grants: manifest.grants.map(changed).map((old) => beyondOwner(old, manifest)),
    requests: manifest.requests.map(changed),
    sessions: manifest.sessions.map((old) => (old.id === manifest.marked.openSession ? { ...old, ...lost } : old)),
  }
  for (const name of ['principals', 'grants', 'requests', 'sessions'] as const) {
    t.match(lists[name], expected[name], name)
    t.equal(lists[name].length, expected[name].length, name)
  }
  t.same(errorsIn(daemon), [])
}

/** A service account is in those of its groups that its owner is in: dave is no owner of databases. */
function withOwnersGroups(old: object): object {
  return 'kind' in old && old.kind === 'service' ? { ...old, groups: [] } : old
}

/** What it held by the others has ended. */
function beyondOwner(old: object, { marked }: Manifest): object {
  if (!('id' in old) || old.id !== marked.liveGrants.selfService || ('state' in old && old.state !== 'active'))
    return old
  return { ...old, state: 'revoked', endedAt: Number, endReason: 'rule-changed', endText: /no longer covers/ }
}

function asItWas(old: object): object {
  return old
}

function overSince(old: { readonly state?: string; readonly status?: string }): object {
  if (old.state === 'active')
    return { ...old, state: 'expired', endedAt: Number, endReason: 'grant-expired', endText: /expired/ }
  return old.status === 'pending' ? { ...old, status: 'expired', statusReason: String } : old
}

async function recordingsPlay(t: Tap, { call }: Company, { recordings }: Pick<Manifest, 'recordings'>): Promise<void> {
  for (const [session, entries] of Object.entries(recordings)) {
    const response = await call('carol', 'GET', `/api/v1/recordings/${session}`)
    const [header, ...played] = jsonLines(await response.text())
    t.match(header, { session: { id: session }, verified: { ok: true, entries: entries.length } })
    t.match(played, entries)
    t.equal(played.length, entries.length)
  }
}

async function tokensWork(t: Tap, company: Company, { tokens, marked }: Manifest): Promise<void> {
  const { api, login, connect } = tokens
  t.match(await (await bearer(company, 'GET', '/api/v1/whoami', api.token)).json(), {
    principal: { name: api.principal },
  })
  t.match(await (await bearer(company, 'GET', '/api/v1/whoami', login.token)).json(), {
    principal: { name: 'alice@example.com' },
  })
  const client = clientFor(company, connectTo(company, connect))
  await client.connect()
  t.equal((await client.query('select id from orders where id = $1', [17])).rowCount, 1)
  await client.end()
  t.equal((await issueToken(company)).grantId, marked.liveGrants.orders)
  const own = await bearer(company, 'POST', '/api/v1/connect-tokens', api.token, { resource: 'billing' })
  t.match(await own.json(), { code: 'RESOURCE_UNKNOWN' }, 'its owner is not in the group that it was made a member of')
  t.match(await company.api('alice', 'POST', '/api/v1/aws/credentials', { resource: 'ReportsReader' }), {
    accessKeyId: /^ASIA/,
  })
}

async function tokensAreDead(t: Tap, company: Company, { tokens, marked }: Manifest): Promise<void> {
  for (const { token } of [tokens.api, tokens.login])
    t.equal((await bearer(company, 'GET', '/api/v1/whoami', token)).status, 401)
  const client = clientFor(company, connectTo(company, tokens.connect))
  await t.rejects(client.connect(), { code: '28P01' })
  for (const grant of [marked.liveGrants.orders, marked.liveGrants.role]) {
    const { resourceId } = find((await grantsOf(company)).grants, grant)
    await t.rejects(issueToken(company, 'alice', { resource: resourceId, grant }), /403.*GRANT_EXPIRED/)
  }
  for (const type of ['grant.tampered', 'store.refused']) t.same(await events(company, type), [], type)
}

/** And ends when another person revokes it. */
async function lockHolds(t: Tap, company: Company, { marked }: Manifest): Promise<void> {
  const refused = await company.commands.bob.run(['login'])
  t.equal(refused.code, 4)
  t.match(refused.stdout + refused.stderr, /locked/)
  await company.api('dave', 'POST', `/api/v1/principals/${marked.lockedPrincipal}/unlock`, {})
  await company.signIn(['bob'])
}

async function newSession(t: Tap, company: Company): Promise<void> {
  await t.test('a new session', async (t) => {
    const { client, sessionId } = await openDatabase(company)
    t.equal((await client.query('select id from orders where id = $1', [17])).rowCount, 1)
    await client.end()
    const entries = [{ type: 'target' }, { type: 'query' }, { type: 'execute', values: ['17'], rows: 1 }]
    await recordingsPlay(t, company, { recordings: { [sessionId]: entries } })
  })
}

/** By the daemon, and without it: as an export, and as the store that the earlier one left. */
async function logIsProven(t: Tap, company: Company, fixture: Fixture): Promise<void> {
  const { audit } = fixture.manifest
  const { carol } = company.commands
  const file = (name: string) => path.join(company.daemon.dir, name)
  t.match(await company.api('carol', 'GET', '/api/v1/audit/verify'), { ok: true, problems: [] })
  t.equal(company.daemon.publicKeyPem(), audit.publicKeyPem)
  writeFileSync(file('key.pem'), audit.publicKeyPem)
  t.match(await carol.run(['audit', 'export', '--out', file('audit.jsonl')]), { code: 0 })
  const oldAnchor = path.join(fixture.folder, 'anchor.jsonl')
  const offline = ['--public-key', file('key.pem'), '--anchor', oldAnchor]
  t.match(await carol.run(['audit', 'verify', '--export', file('audit.jsonl'), ...offline]), {
    code: 0,
    stdout: /^verified: [\s\S]*proven up to event \d+/,
  })
  const lines = jsonLines(readFileSync(file('audit.jsonl'), 'utf8')) as { event?: Event }[]
  const exported = lines.flatMap(({ event }) => event ?? [])
  t.match(exported[audit.events - 1], { seq: audit.events, hash: audit.hash }, 'of the old events none is gone')
  t.ok(exported.length > audit.events, 'and new ones follow')

  await company.daemon.stop()
  const left = await placeFixture(company.sandbox, fixture, file('untouched'))
  const store = ['--store', `sqlite:${left.databaseFile}`, '--recordings', left.recordingsDir]
  t.match(await carol.run(['audit', 'verify', ...store, ...offline]), {
    code: 0,
    stdout: new RegExp(`^verified: ${audit.events} events`),
  })
}

function grantsOf({ api }: Company): Promise<Pick<Manifest, 'grants'>> {
  return api('dave', 'GET', '/api/v1/grants?all=true')
}

async function events({ api }: Company, type: string): Promise<readonly Event[]> {
  return (await api<{ events: Event[] }>('carol', 'GET', `/api/v1/audit/events?type=${type}`)).events
}

function jsonLines(text: string): unknown[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

function bearer({ daemon }: Company, method: string, route: string, token: string, body?: object): Promise<Response> {
  return fetch(`${daemon.url}${route}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body ? { 'content-type': 'application/json' } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
}

function connectTo({ daemon }: Company, { id, token }: Manifest['tokens']['connect']) {
  return { id, token, user: `t_${id}`, host: '127.0.0.1', port: daemon.postgresPort, grantId: '' }
}

function errorsIn(daemon: RunningDaemon): readonly string[] {
  return daemon
    .log()
    .split('\n')
    .filter((line) => /"level":[56]0/.test(line))
}

function find<T extends { readonly id: string }>(list: readonly T[], id: string): T {
  const found = list.find((one) => one.id === id)
  if (!found) throw new Error(`there is no ${id}`)
  return found
}

/** Another run of this test on the machine may have it: then it is waited for. */
async function issuerPort({ issuer }: Manifest): Promise<number> {
  const port = Number(new URL(issuer).port)
  await waitUntil(() => isFree(port), `port ${port} of the issuer is free`, 60_000, 200)
  return port
}
