/** Access is given to a target, not to its name: another one under that name is another resource. */
import t from 'tap'
import { requestDigest } from '../../../src/access/requests/request.ts'
import { digestOf } from '../../../src/audit/digest.ts'
import type { ResourceFile } from '../../../src/catalog/resource.ts'
import {
  type AccessSetup,
  config,
  exampleRules,
  hour,
  openAccess,
  ordersId,
  type SetupOptions,
} from './access-setup.ts'
import { startTwo } from './two-daemons.ts'

t.setTimeout(300_000)

const read = { resource: 'orders', level: 'readonly', durationMs: hour, reason: 'look at a bug' }
const write = { ...read, level: 'admin', ticket: 'OPS-1' }

/** The double's targets are what their endpoints say. */
const orders = (change: Partial<ResourceFile>) => ({
  resources: exampleRules.resources.map((one) => (one.id === ordersId ? { ...one, ...change } : one)),
})
const replaced = orders({ endpoint: 'new.example' })
const said = /another resource now: this was for orders\.example, and the configuration has new\.example/

t.test('a live grant ends, its holder is told why and what to do, and it does not come back', async (t) => {
  const setup = await openAccess(t)
  const { access, audit, login, published } = setup
  const { grant } = await access.request(login('alice'), read)
  t.match(grant, { targetId: 'orders.example' })
  await access.reload(config(replaced))
  t.match(
    published.findLast(({ what }) => what === 'grant'),
    { id: grant?.id, reason: 'resource-replaced', text: said },
  )
  t.match(audit.of('grant.ended').at(-1), { fields: { grant: grant?.id, target: 'orders.example' } })
  const refused = { allowed: false, code: 'GRANT_DENIED', reason: said, hint: /request it: sallyport request orders/ }
  t.match(await access.check({ principalId: 'alice', resource: 'orders' }), refused)
  await access.reload(config())
  t.match(await access.check({ principalId: 'alice', resource: 'orders' }), { allowed: false }, 'nor with the old one')
  t.match((await access.request(login('alice'), read)).grant, { targetId: 'orders.example' }, 'a new one is given')
})

t.test('what only says how it is reached, or what it is called by, changes nothing', async (t) => {
  const { access, login } = await openAccess(t)
  await access.request(login('alice'), read)
  const asked = await access.request(login('alice'), write)
  await access.reload(config(orders({ database: 'other', tags: { env: 'staging' } })))
  t.match(await access.check({ principalId: 'alice', resource: 'orders', level: 'readonly' }), { allowed: true })
  const { id, digest } = asked.request
  t.match(await access.requestById(login('alice'), id), { status: 'pending', digest, targetId: 'orders.example' })
})

t.test('a request that waits for approval lapses: nobody approved the other', async (t) => {
  const { access, login } = await openAccess(t)
  const { request } = await access.request(login('alice'), write)
  await access.reload(config(replaced))
  t.match(await access.requestById(login('alice'), request.id), { status: 'refused', statusReason: said })
  const ask = { verdict: 'approve', digest: request.digest } as const
  await t.rejects(access.decide(login('olga'), request.id, ask), { code: 'STALE' })
  const again = await access.request(login('alice'), write)
  t.match(again.request, { status: 'pending', targetId: 'new.example' })
})

t.test('the digest that an approver confirms covers it, and is as it was without', async (t) => {
  const asked = { id: 'req_1', beneficiaryId: 'alice', resourceId: ordersId, level: 'own', durationMs: hour }
  const terms = { reason: null, ticket: null, ruleDigest: 'd', extendsGrantId: null, round: 0 }
  const digest = (targetId: string | null, loginName: string | null) =>
    requestDigest({ ...asked, ...terms, targetId, loginName, sessionTags: null })
  t.equal(digest(null, null), digestOf({ ...asked, ...terms }))
  const all = [digest(null, null), digest('db-1', null), digest('db-2', null), digest('db-1', 'alice')]
  t.equal(new Set([...all, digest('db-1', 'bob')]).size, 5)
})

t.test('a daemon that starts with another one ends what it finds', async (t) => {
  const options: { rules: NonNullable<SetupOptions['rules']> } = { rules: {} }
  const setup = await openAccess(t, options)
  const { grant } = await setup.access.request(setup.login('alice'), read)
  options.rules = replaced
  const later = await setup.restart()
  t.match(await later.check({ principalId: 'alice', resource: 'orders' }), { allowed: false, reason: said })
  t.equal(await later.heldBy({ grantId: grant?.id ?? '', resourceId: ordersId, level: 'readonly' }), undefined)
})

t.test('what was given before this was kept stays, and is bound when it is extended', async (t) => {
  const setup = await openAccess(t)
  const { access, login } = setup
  const { grant } = await access.request(login('alice'), read)
  await unbind(setup, 'grants', grant?.id ?? '')
  const later = await setup.restart()
  const may = () => later.check({ principalId: 'alice', resource: 'orders' })
  await later.reload(config(replaced))
  t.match(await may(), { allowed: true })
  const more = { durationMs: hour, reason: 'still at it' }
  const extended = await later.extend(login('alice'), grant?.id ?? '', more)
  t.match(extended.grant, { targetId: 'new.example' })
  await later.reload(config())
  t.match(await may(), { allowed: false, reason: /another resource now/ })
})

t.test('an extension that was asked for before this was kept does not unbind it', async (t) => {
  const setup = await openAccess(t)
  const { login } = setup
  const approve = async (access: typeof setup.access, id: string) => {
    for (const who of ['olga', 'meg']) {
      const { digest } = await access.requestById(login(who), id)
      const { grant } = await access.decide(login(who), id, { verdict: 'approve', digest })
      if (grant) return grant
    }
    return undefined
  }
  const asked = await setup.access.request(login('alice'), write)
  const grant = await approve(setup.access, asked.request.id)
  const more = await setup.access.extend(login('alice'), grant?.id ?? '', { durationMs: hour, reason: 'still at it' })
  await unbind(setup, 'requests', more.request.id)
  const later = await setup.restart()
  t.match((await later.requestById(login('olga'), more.request.id)).targetId, null)
  t.match(await approve(later, more.request.id), { id: grant?.id, targetId: 'orders.example' })
})

/** As the row was before it had a target, signed by the broker of then. */
async function unbind({ db, keyring }: AccessSetup, table: 'grants' | 'requests', id: string): Promise<void> {
  const {
    mac: _,
    target_id: _id,
    ...row
  } = await db.selectFrom(table).selectAll().where('id', '=', id).executeTakeFirstOrThrow()
  const free = ['end_text', 'status_reason']
  const members = Object.entries(row).filter(([name, value]) => value !== null && !free.includes(name))
  const sorted = Object.fromEntries(members.sort(([a], [b]) => (a < b ? -1 : 1)))
  const mac = keyring.mac(`row:${table}`, JSON.stringify(sorted))
  await db.updateTable(table).set({ target_id: null, mac }).where('id', '=', id).execute()
}

t.test('of two daemons, the one with another target refuses, and neither extends it', async (t) => {
  const two = await startTwo(t)
  const { a, b, login } = two
  await b.load(replaced)
  await a.load({})
  await b.hear()
  const { grant } = await a.access.request(login('alice'), read)
  const id = grant?.id ?? ''
  t.match(await a.may(id), { allowed: true })
  t.match(await b.may(id), { allowed: false, code: 'GRANT_DENIED', reason: said, hint: /sallyport request/ })
  const more = { durationMs: hour, reason: 'still at it' }
  await t.rejects(b.access.extend(login('alice'), id, more), { code: 'GRANT_DENIED', message: said })
  t.match(await a.may(id), { allowed: true }, 'its own rules are not the newest: it ends nothing')
  await b.load(replaced)
  await a.hear()
  t.match(a.ends().at(-1), { id, reason: 'resource-replaced', from: 'elsewhere' })
})
