import t, { type Test } from 'tap'
import type { DirectoryUser, UserAttribute } from '../../../src/aws/identity-center/users.ts'
import { Links } from '../../../src/pushed/links.ts'
import { type Match, People } from '../../../src/pushed/people.ts'
import { openStore } from '../../../src/store/store.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { principal } from '../access/access-setup.ts'
import { memoryLog } from './log.ts'
import { keyring } from './store-setup.ts'

const now = 1_800_000_000_000
function user(id: string, more: Partial<DirectoryUser> = {}): DirectoryUser {
  return { id, userName: `${id}@example.com`, emails: [`${id}@example.com`], isDisabled: false, ...more }
}

async function start(t: Test, users: DirectoryUser[], match: Match = 'email') {
  const db = await openStore({ url: 'sqlite::memory:' })
  t.teardown(() => db.destroy())
  const { log, records } = memoryLog(db, () => now)
  const deps = { audit: log, db, keyring, logger: createLogger({ level: 'silent' }) }
  const links = new Links(deps)
  const asked: UserAttribute[] = []
  const directory = {
    user: async (id: string) => users.find((one) => one.id === id) ?? null,
    findUsers: async (by: UserAttribute) => {
      asked.push(by)
      if ('userName' in by) return users.filter(({ userName }) => userName === by.userName)
      if ('email' in by) return users.filter(({ emails }) => emails.includes(by.email))
      return users.filter(({ id }) => id === by.externalId.id)
    },
  }
  const people = new People({ clock: { now: () => now }, links, directory: () => directory, match: () => match })
  const restarted = async () => {
    const next = new Links(deps)
    await next.load()
    return next
  }
  return { people, links, asked, records, db, restarted, users }
}

const alice = principal('alice')

t.test('a person is found by the verified address, once, and stays that user', async (t) => {
  const { people, links, asked, records, users, restarted } = await start(t, [user('alice'), user('bob')])
  t.same(await Promise.all([people.find(alice), people.find(alice)]), [{ userId: 'alice' }, { userId: 'alice' }])
  t.equal(asked.length, 2)
  t.same(
    await people.find({ ...alice, email: 'bob@example.com' }),
    { userId: 'alice' },
    'whatever the address is later',
  )
  t.equal(asked.length, 2)
  t.match(records, [
    {
      type: 'identity-center.linked',
      actor: 'system',
      fields: { principal: 'alice', user: 'alice', found_by: 'email', version: 1 },
    },
  ])
  t.match((await restarted()).of('alice'), { userId: 'alice', foundBy: 'email' })
  users.splice(0, 1, user('alice-2', { emails: ['alice@example.com'] }))
  t.same(await people.find(alice), { userId: 'alice-2' }, 'one who was deleted and made again is looked for again')
  t.match(links.of('alice'), { userId: 'alice-2', version: 2 })
})

t.test('none, several, a disabled one or one of another person: refused in words', async (t) => {
  const refused = async (users: DirectoryUser[], reason: RegExp, who = alice, match: Match = 'email') => {
    const { people, records } = await start(t, users, match)
    t.match(await people.find(who), { reason, hint: /\S/ })
    t.same(records, [], 'and nobody is linked')
  }
  await refused([user('bob')], /no user with the e-mail address or user name alice@example.com/)
  await refused(
    [user('a', { emails: ['alice@example.com'] }), user('b', { userName: 'alice@example.com' })],
    /2 users .*: a@example.com, alice@example.com/,
  )
  await refused([user('alice', { isDisabled: true })], /disabled/)
  await refused([user('alice')], /not verified/, principal('alice', { email: null }))
  await refused([user('alice')], /service account/, principal('alice', { kind: 'service' }))
  await refused([user('a', { emails: ['alice@example.com'] })], /no user with the user name/, alice, 'user_name')
  await refused([user('alice')], /external id sub-alice of https/, alice, 'external_id')
  const { people, links } = await start(t, [user('alice')])
  await links.set({ principalId: 'bob', userId: 'alice', userName: null, foundBy: 'admin', linkedAt: now }, 'dave')
  t.match(await people.find(alice), { reason: /linked to another person/ })
})

t.test('an admin links by id, and takes the link away', async (t) => {
  const { people, links, records, users } = await start(t, [user('al')])
  await t.rejects(people.link(alice, 'nobody', 'dave'), { code: 'NOT_FOUND' })
  t.match(await people.link(alice, 'al', 'dave'), { userId: 'al', foundBy: 'admin' })
  t.same(await people.find(alice), { userId: 'al' })
  users.length = 0
  t.match(
    await people.find(alice),
    { reason: /al@example.com that an admin linked is gone/ },
    'nobody else is looked for',
  )
  await links.set({ principalId: 'alice', userId: null, userName: null, foundBy: 'admin', linkedAt: now }, 'dave')
  t.equal(links.userOf('alice'), null)
  t.match(records.at(-1), { type: 'identity-center.unlinked', actor: 'dave', fields: { was: 'al', user: null } })
})

t.test('a link that was changed, put back or deleted in the store counts for nothing', async (t) => {
  const { people, links, db, restarted } = await start(t, [user('alice'), user('mallory')])
  await people.find(alice)
  const first = await db.selectFrom('identity_center_links').selectAll().executeTakeFirstOrThrow()
  await db.updateTable('identity_center_links').set({ user_id: 'mallory' }).execute()
  t.same((await restarted()).userOf('alice'), { unclear: 'alice' }, 'changed')
  await db.deleteFrom('identity_center_links').execute()
  t.same((await restarted()).userOf('alice'), { unclear: 'alice' }, 'deleted')
  await db.insertInto('identity_center_links').values(first).execute()
  t.same((await restarted()).userOf('alice'), { id: 'alice' })
  await people.link(alice, 'mallory', 'dave')
  await db.updateTable('identity_center_links').set(first).execute()
  t.same((await restarted()).userOf('alice'), { unclear: 'mallory' }, 'put back')
  t.same(links.userOf('alice'), { id: 'mallory' }, 'what runs knows better')
  const problems: string[] = []
  await db.updateTable('identity_center_links').set({ user_id: 'x' }).execute()
  for await (const { what } of links.checkRows()) problems.push(what)
  t.match(problems, [/no valid signature/])
})

t.test('what another daemon linked is read as its event is heard', async (t) => {
  const { people, records, restarted } = await start(t, [user('alice')])
  const other = await restarted()
  await people.find(alice)
  t.equal(other.of('alice'), undefined)
  for (const record of records) await other.note(record)
  t.match(other.of('alice'), { userId: 'alice' })
  t.match(other.all, [{ principalId: 'alice' }])
})
