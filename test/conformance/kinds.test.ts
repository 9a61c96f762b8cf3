/** What every kind of the registry promises, whatever carries its sessions: one list, run over all of them. */
import { readFileSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { parse, stringify } from 'yaml'
import { rulesCheck } from '../../src/access/rules/load-rules.ts'
import type { ConfigProblem } from '../../src/config/config.ts'
import type { ConfigFile } from '../../src/config/schema.ts'
import { kinds } from '../../src/kinds/registry.ts'
import { startCompany } from '../e2e/company.ts'
import { skipInShortRun } from '../long.ts'
import { skipWithoutMariaDb } from '../sandbox/mysql/mariadb.ts'
import { noPty } from '../sandbox/ssm/shell.ts'
import { load, minimal, problemsIn } from '../src/config/load-text.ts'
import { waitFor, waitUntil } from '../wait-until.ts'
import { execs } from './exec-fixture.ts'
import type { KindFixture, OpenSession } from './kind-fixture.ts'
import { fixtures } from './kind-fixtures.ts'
import { pushedFixtures } from './pushed-fixtures.ts'
import { streams } from './stream-fixture.ts'

const missing: Readonly<Record<string, string | false>> = {
  'rds-mysql': skipWithoutMariaDb(),
  'ec2-instance': noPty,
}
const company = await startCompany({
  sandbox: { cluster: true, shells: !noPty, ...(missing['rds-mysql'] ? {} : { mysql: {} }) },
})
t.teardown(() => company.close())
const { aws } = company.sandbox

interface Event {
  readonly type: string
  readonly fields: Readonly<Record<string, unknown>>
}

type Promised = (t: Test, fixture: KindFixture) => Promise<void>

const promises: Readonly<Record<string, Promised>> = {
  'denied: nothing is asked of AWS for it, and no target is connected to': async (t, fixture) => {
    const before = seenBy(fixture)
    await t.rejects(fixture.open(company), 'without a grant')
    t.same(seenBy(fixture), before, 'nothing was seen')
    const { id } = await company.grant(3_600_000, fixture.resource, fixture.level)
    const open = await fixture.prepare(company)
    await revoke(id)
    await t.rejects(open(), 'when the grant was revoked meanwhile')
    t.same(seenBy(fixture), before, 'nothing was seen')
  },
  'expiry ends the session': async (t, fixture) => {
    await company.grant(4000, fixture.resource, fixture.level)
    await isEnded(t, fixture, await fixture.open(company), 'grant-expired', /expired/)
  },
  'revocation ends the session': async (t, fixture) => {
    const { id } = await company.grant(3_600_000, fixture.resource, fixture.level)
    const session = await fixture.open(company)
    await revoke(id)
    await isEnded(t, fixture, session, 'grant-revoked', /incident 42/)
  },
  'a lock of the person ends the session': async (t, fixture) => {
    const { id: grantId } = await company.grant(3_600_000, fixture.resource, fixture.level)
    const session = await fixture.open(company)
    const path = `/api/v1/principals/${await aliceId()}`
    await company.api('dave', 'POST', `${path}/lock`, { reason: 'laptop stolen' })
    await isEnded(t, fixture, session, 'principal-locked', /lock/)
    await company.api('dave', 'POST', `${path}/unlock`, {})
    await company.signIn(['alice'])
    await company.call('bob', 'POST', `/api/v1/grants/${grantId}/revoke`, { reason: 'incident 42' })
  },
  'rules that no longer allow it end the session': async (t, fixture) => {
    await company.grant(3_600_000, fixture.resource, fixture.level)
    const session = await fixture.open(company)
    const { configFile } = company.daemon
    const good = readFileSync(configFile, 'utf8')
    const config: ConfigFile = parse(good)
    const access = config.access?.filter(({ who }) => !who.groups?.includes('engineering')) ?? []
    await reload(fixture, stringify({ ...config, access }), false)
    await isEnded(t, fixture, session, 'rule-changed', /rule/)
    await reload(fixture, good, true)
  },
  'another target under the name of the resource ends the session; another tag does not': async (t, fixture) => {
    const { id: grantId } = await company.grant(3_600_000, fixture.resource, fixture.level)
    const session = await fixture.open(company)
    const { configFile } = company.daemon
    const good = readFileSync(configFile, 'utf8')
    await put(entryWith(fixture, good, { tags: { env: 'prod', team: 'shop', tier: '1' } }))
    t.same(await events('session.ended', session.id), [])
    if (fixture.replaced === null) {
      await put(good)
      return await revoke(grantId)
    }
    await put(entryWith(fixture, good, fixture.replaced))
    await isEnded(t, fixture, session, 'resource-replaced', /another resource now/)
    await put(good)
    await t.rejects(fixture.open(company), 'nor does the old one bring it back')
  },
  'the lease is taken once for two sessions of a grant': async (t, fixture) => {
    const { id } = await company.grant(3_600_000, fixture.resource, fixture.level)
    const before = assumed(fixture).length
    for (const { leave } of [await fixture.open(company), await fixture.open(company)]) await leave?.()
    t.same(
      assumed(fixture)
        .slice(before)
        .map(({ outcome }) => outcome),
      ['ok'],
    )
    await revoke(id)
  },
  'the session is on record, whole: its row, its events, its recording': async (t, fixture) => {
    const { id: grantId } = await company.grant(3_600_000, fixture.resource, fixture.level)
    const { id } = await fixture.open(company)
    await revoke(grantId)
    const ended = await endOf(id)
    t.match(await events('session.started', id), [{ fields: { session: id, grant: grantId } }])
    t.match(ended, { fields: { session: id, grant: grantId, reason: 'grant-revoked', digest: /^[0-9a-f]{64}$/ } })
    t.equal((await events('session.ended', id)).length, 1)
    const row = await closedRow(id)
    const { digest, entries } = ended.fields
    t.match(row, {
      grantId,
      level: fixture.level ?? 'readonly',
      endReason: 'grant-revoked',
      recording: { digest, entries },
    })
    t.ok(row.startedAt !== null && row.startedAt >= row.openedAt && (row.endedAt ?? 0) >= row.startedAt)
    const text = await (await company.call('carol', 'GET', `/api/v1/recordings/${id}`)).text()
    const [head, ...recorded] = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    t.match(head, { session: { id, digest }, verified: { ok: true, entries } })
    t.match(recorded, fixture.entries)
    t.equal(recorded.length, entries)
    t.equal(recorded.length, fixture.entries.length)
    const verified = await company.commands.carol.run(['audit', 'verify'])
    t.equal(verified.code, 0, verified.stdout + verified.stderr)
  },
  'errors of the configuration name the place and what to do': async (t, { broken }) => {
    const config: ConfigFile = parse(readFileSync(company.daemon.configFile, 'utf8'))
    const good = config.resources?.find(({ id }) => id === broken.resource.id)
    const levels = [{ for: { ids: [broken.resource.id] }, readonly: broken.level }]
    const options = { kinds, checks: [rulesCheck(kinds)] }
    const found: ConfigProblem[] = []
    for (const sections of [{ resources: [broken.resource] }, { resources: [good], levels }])
      found.push(...problemsIn(await load(t, minimal + stringify({ aws: config.aws, ...sections }), options)))
    for (const path of broken.paths) {
      const problem = found.find((one) => one.path === path)
      t.match(problem, { line: Number, column: Number, message: /\S/, fix: /\S/ }, path)
      t.ok((problem?.line ?? 0) > minimal.split('\n').length - 1, `${path} has its line`)
    }
  },
}

/** What AWS and the targets of a kind saw for it. */
function seenBy(fixture: KindFixture) {
  return { connections: fixture.connections(company), assumed: assumed(fixture).length }
}

function assumed({ roleArn }: KindFixture) {
  return aws.calls.filter(({ parameters }) => parameters.RoleArn === roleArn)
}

async function revoke(grantId: string): Promise<void> {
  await company.api('bob', 'POST', `/api/v1/grants/${grantId}/revoke`, { reason: 'incident 42' })
}

async function aliceId(): Promise<string> {
  const { principals } = await company.api<{ principals: { id: string; email: string }[] }>(
    'dave',
    'GET',
    '/api/v1/principals',
  )
  return principals.find(({ email }) => email.startsWith('alice'))?.id ?? ''
}

/** Puts other rules into force, and waits until alice may ask for the resource, or may not. */
async function reload({ resource }: KindFixture, text: string, mayAsk: boolean): Promise<void> {
  writeFileSync(company.daemon.configFile, text)
  company.daemon.signal('SIGHUP')
  await waitUntil(async () => {
    const { resources } = await company.api<{ resources: { name: string; levels: string[] }[] }>(
      'alice',
      'GET',
      '/api/v1/resources',
    )
    return (resources.find(({ name }) => name === resource)?.levels.includes('readonly') ?? false) === mayAsk
  }, 'the rules are in force')
}

/** The configuration with these attributes in the entry of the fixture. */
function entryWith({ resource }: KindFixture, text: string, attributes: object): string {
  const config: ConfigFile = parse(text)
  const resources = config.resources?.map((one) => (one.id.endsWith(`/${resource}`) ? { ...one, ...attributes } : one))
  return stringify({ ...config, resources })
}

/** Puts a configuration into force. */
async function put(text: string): Promise<void> {
  const loaded = async () => (await company.api<{ loadedAt: number }>('carol', 'GET', '/api/v1/rules')).loadedAt
  const before = await loaded()
  writeFileSync(company.daemon.configFile, text)
  company.daemon.signal('SIGHUP')
  await waitUntil(async () => (await loaded()) !== before, 'the rules are in force')
}

async function events(type: string, subject: string): Promise<readonly Event[]> {
  const path = `/api/v1/audit/events?type=${type}&subject=${subject}`
  return (await company.api<{ events: Event[] }>('carol', 'GET', path)).events
}

async function endOf(sessionId: string): Promise<Event> {
  return await waitFor(
    async () => (await events('session.ended', sessionId))[0],
    () => `the end of ${sessionId} is in the log\n${company.daemon.log()}`,
    10_000,
    20,
  )
}

interface Row {
  readonly id: string
  readonly openedAt: number
  readonly startedAt: number | null
  readonly endedAt: number | null
}

/** The row is closed after the event is written. */
async function closedRow(sessionId: string): Promise<Row> {
  return await waitFor(async () => {
    const { sessions } = await company.api<{ sessions: Row[] }>('carol', 'GET', '/api/v1/sessions')
    return sessions.find(({ id, endedAt }) => id === sessionId && endedAt !== null)
  }, `the row of ${sessionId} is closed`)
}

/** Its client is told why, the log has it, and nothing new opens. */
async function isEnded(t: Test, fixture: KindFixture, session: OpenSession, reason: string, text: RegExp) {
  if (session.told) t.match(await session.told(), text, 'the client is told why')
  t.match(await endOf(session.id), { fields: { session: session.id, reason } })
  const before = seenBy(fixture)
  await t.rejects(fixture.open(company), 'nothing new opens')
  t.same(seenBy(fixture), before)
}

for (const { name, level } of kinds) {
  if (!level) continue // nothing of it can be requested
  if (pushedFixtures[name]) continue // no session is the broker's: pushed.test.ts

  const fixture = fixtures[name]
  await t.test(name, { skip: missing[name] ?? false }, async (t) => {
    if (!fixture) return void t.fail(`test/conformance/kind-fixtures.ts has nothing for the kind ${name}`)
    await holdAll(t, fixture)
  })
}

await t.test('streams of ec2-instance', { skip: noPty || skipInShortRun }, (t) => holdAll(t, streams))
await t.test('execs of eks-cluster', { skip: skipInShortRun }, (t) => holdAll(t, execs))

async function holdAll(t: Test, fixture: KindFixture): Promise<void> {
  for (const [promise, holds] of Object.entries(promises)) await t.test(promise, (t) => holds(t, fixture))
}
