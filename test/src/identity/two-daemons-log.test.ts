import t, { type Test } from 'tap'
import { createIdentity } from '../../../src/identity/create-identity.ts'
import { type Change, createChanges, isRemoval } from '../../../src/store/changes.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { waitUntil } from '../../wait-until.ts'
import { openDaemons } from '../audit/feed-setup.ts'
import { oidcConfig, startedAt, vouched } from './identity-setup.ts'

const origin = { address: '192.0.2.7' }

/** Two daemons with logs of their own on one PostgreSQL; `polls`: each reads what the other appends. */
async function start(t: Test, { polls }: { polls: boolean }) {
  const time = { now: startedAt }
  const clock = { now: () => time.now }
  const { daemons } = await openDaemons(t, 2, { clock })
  const build = async ({ audit, db, keyring, metrics }: (typeof daemons)[number]) => {
    const changes = createChanges()
    const changed: Change[] = []
    changes.subscribe((change) => changed.push(change))
    const identity = await createIdentity({
      ...{ db, keyring, audit, clock, metrics, changes, config: oidcConfig },
      logger: createLogger({ level: 'silent' }),
      access: () => {
        throw new Error('nothing here needs access')
      },
    })
    audit.subscribe(identity.apply)
    if (polls) await audit.start()
    t.teardown(() => identity.idle())
    return { identity, audit, db, removed: () => changed.filter(isRemoval) }
  }
  const [a, b] = await Promise.all(daemons.map(build))
  if (!a || !b) throw new Error('two were asked for')
  const { login: dave } = await a.identity.logins.begin(vouched('dave', { groups: ['platform'] }), 'cli', origin)
  const signIn = (at: typeof a, name: string) => at.identity.logins.begin(vouched(name), 'cli', origin)
  return { a, b, dave, signIn, time }
}

t.test('what one daemon removes is cut at the other, which reads the log by itself', async (t) => {
  const { a, b, dave, signIn } = await start(t, { polls: true })
  const alice = await signIn(b, 'alice')
  const bob = await signIn(a, 'bob')
  const began = performance.now()
  await Promise.all([
    a.identity.lock(dave, alice.login.principal.id, 'incident 42'),
    a.identity.logins.end(bob.login.id, 'signed out'),
  ])
  await waitUntil(() => b.removed().length === 2)
  const tookMs = performance.now() - began
  t.match(new Set(b.removed().map(({ id }) => id)), new Set([alice.login.principal.id, bob.login.id]))
  const text = 'the identity was locked by dave@example.com: incident 42'
  t.match(
    b.removed().find(({ what }) => what === 'principal'),
    { text, from: 'elsewhere' },
  )
  t.comment(`after ${Math.round(tookMs)} ms`)
})

t.test('who appends has heard of all that came before', async (t) => {
  const { a, b, dave, signIn } = await start(t, { polls: false })
  const { login } = await signIn(b, 'alice')
  await a.identity.lock(dave, login.principal.id, '')
  t.same(b.removed(), [])
  await signIn(b, 'carol')
  t.match(b.removed(), [{ what: 'principal', id: login.principal.id, from: 'elsewhere' }])
  t.equal((await a.audit.search({ types: ['principal.locked'] })).events.length, 1)
})

t.test('many sign-ins of few people at two daemons, and locks between them: no lock is lost', async (t) => {
  const { a, b, dave, signIn } = await start(t, { polls: true })
  const names = ['alice', 'bob', 'carol']
  await Promise.all(names.map((name) => signIn(a, name)))
  const outcomes = await Promise.all(
    Array.from({ length: 8 }, (_, i) => [a, b].map((at) => signIn(at, names[i % names.length] ?? '')))
      .flat()
      .map((signingIn) =>
        signingIn.then(
          () => 'in',
          (error: { code: string }) => error.code,
        ),
      )
      .concat(
        names.map((name, i) => (i === 0 ? a : b).identity.lock(dave, `${name}@example.com`, '').then(() => 'locked')),
      ),
  )
  t.same(
    [...new Set(outcomes)].filter((outcome) => !['in', 'locked', 'PRINCIPAL_LOCKED'].includes(outcome)),
    [],
  )
  for (const name of names) {
    for (const at of [a, b]) await t.rejects(signIn(at, name), { code: 'PRINCIPAL_LOCKED' }, name)
    const found = await a.identity.findPrincipal(`${name}@example.com`)
    t.ok(found.lockedAt)
    const held = await b.db.selectFrom('logins').selectAll().where('principal_id', '=', found.id).execute()
    t.same(held, [], `${name} holds no login`)
  }
  const report = await a.audit.verify()
  t.ok(report.ok, report.summary)
})

t.test('upkeep at one daemon does not undo an unlock that it has not heard of', async (t) => {
  const { a, b, dave, signIn, time } = await start(t, { polls: false })
  const { login } = await signIn(b, 'alice')
  await b.db.schema.alterTable('logins').renameTo('logins_away').execute()
  await b.identity.lock(dave, login.principal.id, '') // its logins cannot be erased, so the upkeep will look again
  await b.db.schema.alterTable('logins_away').renameTo('logins').execute()
  time.now += 1000
  await a.audit.catchUp()
  await a.identity.unlock(dave, login.principal.id, '')
  await b.identity.tidy()
  await b.audit.catchUp()
  t.equal((await b.identity.principal(login.principal.id))?.lockedAt, null)
  t.equal(await b.identity.credential({ kind: 'login', id: login.id }), undefined)
  time.now += 1
  t.ok((await signIn(b, 'alice')).secret)
})
