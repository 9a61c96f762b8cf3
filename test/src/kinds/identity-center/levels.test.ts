import t from 'tap'
import { groupLevel } from '../../../../src/kinds/identity-center-group/level.ts'
import { permissionSetLevel } from '../../../../src/kinds/permission-set/level.ts'
import { kinds } from '../../../../src/kinds/registry.ts'

t.test('a level of a permission set says that it is assigned, and how long its sessions may last', (t) => {
  t.same(permissionSetLevel.read({ assigned: true }), { ok: true, value: { longestSessionMs: null } })
  t.same(permissionSetLevel.read({ assigned: true, longest_session: '4h' }), {
    ok: true,
    value: { longestSessionMs: 14_400_000 },
  })
  for (const [raw, path] of [
    [{}, 'assigned'],
    [{ assigned: false }, 'assigned'],
    [{ assigned: true, longest_session: '13h' }, 'longest_session'],
    [{ assigned: true, deny_after_end: true }, 'deny_after_end'],
    [null, ''],
  ] as const)
    t.match(permissionSetLevel.read(raw), { ok: false, problems: [{ path, message: /\S/ }] }, JSON.stringify(raw))
  t.end()
})

t.test('a level of a group says that one is a member', (t) => {
  t.same(groupLevel.read({ member: true }), { ok: true, value: { allowsExternal: false } })
  t.same(groupLevel.read({ member: true, external: true }), { ok: true, value: { allowsExternal: true } })
  for (const [raw, path] of [
    [{}, 'member'],
    [{ member: true, external: 'yes' }, 'external'],
  ] as const)
    t.match(groupLevel.read(raw), { ok: false, problems: [{ path, message: /\S/ }] }, JSON.stringify(raw))
  t.end()
})

t.test('a level that is written for other kinds gives no permission set and no group', (t) => {
  const others = [{}, { db_user: 'ro' }, { role: 'View', rules: [] }, { session: '1h' }]
  for (const name of ['permission-set', 'identity-center-group'])
    for (const raw of others) {
      const read = kinds.find((kind) => kind.name === name)?.level?.read(raw)
      t.equal(read?.ok, false, `${name} ${JSON.stringify(raw)}`)
    }
  t.end()
})
