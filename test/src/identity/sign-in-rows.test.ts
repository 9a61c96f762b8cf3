import t from 'tap'
import { SignInRows } from '../../../src/identity/tokens/sign-in-rows.ts'
import type { ConnectTokenRow } from '../../../src/identity/tokens/token-store.ts'
import { createChanges } from '../../../src/store/changes.ts'

const row = (id: string): ConnectTokenRow => ({
  id,
  principal_id: 'prn_1',
  grant_id: 'grt_1',
  resource_id: 'rds-postgres/111122223333/eu-west-1/orders',
  level: 'readonly',
  issued_by: 'lgn_1',
  cidr: null,
  keys: new Uint8Array(),
  created_at: 1,
  expires_at: 2,
  last_used_at: null,
  last_used_from: null,
  mac: 'mac',
})

function start() {
  const changes = createChanges()
  const seen = { reads: [] as string[], onRead: () => {}, missing: false }
  let elapsed = 0
  const store = {
    connectToken: async (id: string) => {
      seen.reads.push(id)
      seen.onRead()
      return seen.missing ? undefined : row(id)
    },
  }
  const core = { changes, clock: { now: () => 77 }, directory: { ownerOf: async () => undefined } }
  const rows = new SignInRows(core, store, () => elapsed)
  return { rows, seen, changes, pass: (ms: number) => (elapsed += ms) }
}

t.test('a sign-in that asks twice reads once, for five seconds', async (t) => {
  const { rows, seen, pass } = start()
  t.match(await rows.read('a'), { row: { id: 'a' } })
  pass(4999)
  t.match(await rows.read('a'), { row: { id: 'a' } })
  t.same(seen.reads, ['a'])
  pass(1)
  await rows.read('a')
  t.same(seen.reads, ['a', 'a'])
})

t.test('any change has everything read again', async (t) => {
  const { rows, seen, changes } = start()
  await rows.read('a')
  changes.publish({ what: 'directory', id: 'prn_9' })
  await rows.read('a')
  t.equal(seen.reads.length, 2)
})

t.test('what was read while something changed is not kept', async (t) => {
  const { rows, seen, changes } = start()
  seen.onRead = () => changes.publish({ what: 'rules' })
  await rows.read('a')
  seen.onRead = () => {}
  await rows.read('a')
  t.equal(seen.reads.length, 2)
})

t.test('a token that is not there is looked for each time', async (t) => {
  const { rows, seen } = start()
  seen.missing = true
  t.equal((await rows.read('a')).row, undefined)
  seen.missing = false
  t.match(await rows.read('a'), { row: { id: 'a' } })
})

t.test('a use that was written down is in the row', async (t) => {
  const { rows, seen } = start()
  rows.noteUse('a')
  await rows.read('a')
  rows.noteUse('a')
  t.equal((await rows.read('a')).row?.last_used_at, 77)
  t.equal(seen.reads.length, 1)
})

t.test('a thousand at most are kept, the newest', async (t) => {
  const { rows, seen } = start()
  for (let i = 0; i < 1001; i++) await rows.read(`token ${i}`)
  await rows.read('token 1')
  t.equal(seen.reads.length, 1001)
  await rows.read('token 0')
  t.equal(seen.reads.length, 1002)
})
