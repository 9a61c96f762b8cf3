import t from 'tap'
import { newId, newTokenId } from '../../../src/store/ids.ts'
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
