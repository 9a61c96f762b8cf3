import t from 'tap'
import { madeAt, newId, newTokenId } from '../../../src/store/ids.ts'
import { waitUntil } from '../../wait-until.ts'

t.test('ids carry their prefix, are ordered in time and of one length', async (t) => {
  const ids: string[] = []
  for (let i = 0; i < 5; i++) {
    ids.push(newId('grt'))
    const now = Date.now()
    await waitUntil(() => Date.now() > now, 'the next millisecond')
  }
  for (const id of ids) t.match(id, /^grt_[0-9a-hj-km-np-tv-z]{26}$/)
  t.same([...ids].sort(), ids)
})

t.test('token ids are 16 characters and do not repeat', async (t) => {
  const ids = Array.from({ length: 1000 }, newTokenId)
  for (const id of ids) t.match(id, /^[0-9a-hj-km-np-tv-z]{16}$/)
  t.equal(new Set(ids).size, 1000)
})

t.test('an id tells when it was made', (t) => {
  const before = Date.now()
  const at = madeAt(newId('ses')) ?? 0
  t.ok(before <= at && at <= Date.now(), `${at}`)
  for (const other of ['', 'ses_1', `ses_${'0'.repeat(25)}`, `ses_${'u'.repeat(26)}`, `ses_${'0'.repeat(27)}`])
    t.equal(madeAt(other), undefined, other)
  t.end()
})
