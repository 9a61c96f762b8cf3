import t from 'tap'
import { readCidr } from '../../../../src/identity/tokens/cidr.ts'

t.test('ranges of tokens are normalised; anything else is refused', (t) => {
  t.equal(readCidr('10.0.0.0/8'), '10.0.0.0/8')
  t.equal(readCidr(' 192.0.2.7 '), '192.0.2.7/32')
  for (const wrong of ['', 'x', '10.0.0.0/33', '10.0.0.0/08', 'fe80::1%lo/64'])
    t.throws(() => readCidr(wrong), { code: 'INVALID_INPUT', message: /expected an address or a range/ }, wrong)
  t.end()
})
