/** A directory may change in many places within a second, here or at another daemon: what each costs is not what all others hold. */
import t from 'tap'
import { hour, openAccess, principal } from '../src/access/access-setup.ts'

const write = { resource: 'orders', level: 'admin', durationMs: hour, reason: 'fix it', ticket: 'OPS-1' }

t.test('B1: pending requests are read once for all whose entries change meanwhile, not once for each', async (t) => {
  const { access, changes, keyring, login, people } = await openAccess(t)
  for (let i = 0; i < 20; i++) await access.request(login('alice'), write)
  const checks = t.capture(keyring, 'checkMac', keyring.checkMac)
  for (let i = 0; i < 500; i++) {
    people.set(`person-${i}`, principal(`person-${i}`))
    changes.publish({ what: 'directory', id: `person-${i}` })
  }
  await access.idle()
  const count = checks().length
  t.ok(count >= 20 && count <= 200, `${count} signatures were checked`)
})

t.test('B1: each of them is looked at, and a change that comes later too', async (t) => {
  const { access, changes, login, people } = await openAccess(t)
  const ids: string[] = []
  const wrongNow = async () => {
    const { request } = await access.request(login('alice'), write)
    ids.push(request.id)
  }
  await wrongNow()
  const alice = people.get('alice') ?? principal('alice')
  for (const id of ['bob', 'carol', 'meg']) changes.publish({ what: 'directory', id })
  people.set('alice', { ...alice, active: false })
  changes.publish({ what: 'directory', id: 'alice' })
  await access.idle()
  people.set('alice', alice)
  await wrongNow()
  people.set('alice', { ...alice, groups: [] })
  changes.publish({ what: 'directory', id: 'alice' })
  await access.idle()
  const shown = await Promise.all(ids.map((id) => access.requestById(login('dave'), id)))
  t.match(
    shown.map(({ status }) => status),
    ['cancelled', 'refused'],
  )
})

t.test('B1: grants end at once, whatever waits', async (t) => {
  const { access, changes, login, people, published } = await openAccess(t)
  await access.request(login('alice'), { resource: 'orders', level: 'readonly', durationMs: hour, reason: 'look' })
  for (let i = 0; i < 100; i++) changes.publish({ what: 'directory', id: `person-${i}` })
  people.set('alice', principal('alice', { active: false }))
  changes.publish({ what: 'directory', id: 'alice' })
  await access.idle()
  t.equal(published.filter(({ what }) => what === 'grant').length, 1)
})
