import t from 'tap'
import { isSameBytes, isSameText } from '../../proxy/constant-time.ts'

t.test('secrets are the same or not, whatever their lengths', async (t) => {
  t.ok(isSameText('', ''))
  t.ok(isSameText('grün', 'grün'))
  for (const other of ['', 'a', 'abd', 'abcd']) t.notOk(isSameText('abc', other), other)
  t.ok(isSameBytes(Buffer.of(1, 2), Buffer.of(1, 2)))
  for (const other of [[], [1], [1, 3], [1, 2, 3]]) t.notOk(isSameBytes(Buffer.of(1, 2), Buffer.from(other)))
})
