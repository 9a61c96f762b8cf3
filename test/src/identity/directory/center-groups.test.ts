/** Groups of Identity Center, which the broker reads itself, beside those that the provider gives. */
import t from 'tap'
import type { Prober } from '../../../../src/identity/logins/logins.ts'
import { minute, startIdentity, vouched } from '../identity-setup.ts'

t.test('a provider neither gives nor takes them', async (t) => {
  let groups = ['engineering', 'idc:Admins']
  const prober: Prober = async (_, keep) => {
    await keep(null)
    return vouched('alice', { groups, refreshToken: 'r1' })
  }
  const setup = await startIdentity(t, { prober })
  const { identity } = setup
  const { id } = (await setup.begin('alice', 'cli', { groups, refreshToken: 'r1' })).login.principal
  const now = async () => (await identity.principal(id))?.groups
  t.same(await now(), ['engineering'], 'a name that is made up counts for nothing')
  await identity.setCenterGroups(id, ['idc:Ops'])
  t.same(await now(), ['engineering', 'idc:Ops'])
  t.same([...(await identity.inCenterGroups())], [[id, ['idc:Ops']]])
  groups = ['support', 'idc:Admins']
  setup.time.now += 15 * minute
  await identity.probe()
  t.same(await now(), ['idc:Ops', 'support'], 'a refresh')
  await setup.begin('alice', 'cli', { groups: ['idc:Admins'] })
  t.same(await now(), ['idc:Ops'], 'and a sign-in')
})

t.test('what is lost is heard of, on record, and kept while the log is down; what is gained is not', async (t) => {
  const setup = await startIdentity(t)
  const { identity, audit } = setup
  const { id } = (await setup.begin('alice', 'cli', { groups: ['engineering'] })).login.principal
  const now = async () => (await identity.principal(id))?.groups
  await identity.setCenterGroups(id, ['idc:Ops', 'idc:Data'])
  t.match(audit.records.at(-1), {
    type: 'principal.changed',
    actor: 'system',
    fields: { principal: id, groups_added: ['idc:Data', 'idc:Ops'], groups_removed: [] },
  })
  setup.changed.length = 0
  await identity.setCenterGroups(id, ['idc:Data'])
  t.match(setup.changed, [{ what: 'directory', id }])
  t.match(audit.records.at(-1), { fields: { groups_added: [], groups_removed: ['idc:Ops'] } })
  const { length } = audit.records
  await identity.setCenterGroups(id, ['idc:Data'])
  t.equal(audit.records.length, length, 'the same again is nothing')
  audit.down = true
  await t.rejects(identity.setCenterGroups(id, ['idc:Ops']), { code: 'AUDIT_UNAVAILABLE' })
  t.same(await now(), ['engineering'])
  audit.down = false
  await identity.setCenterGroups('prn_nobody', ['idc:Ops'])
  await identity.setCenterGroups(id, ['platform'])
  t.same(await now(), ['engineering'], 'only groups of Identity Center are given so')
})
