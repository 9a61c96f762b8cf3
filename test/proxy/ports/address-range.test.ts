import t from 'tap'
import { includesAddress, isWithinRange, parseAddressRange } from '../../../proxy/ports/address-range.ts'
import fc from '../../fast-check.ts'

t.test('addresses and ranges are normalised; anything else is refused', (t) => {
  t.equal(parseAddressRange('10.0.0.0/8'), '10.0.0.0/8')
  t.equal(parseAddressRange('192.0.2.7'), '192.0.2.7/32')
  t.equal(parseAddressRange('2001:db8::1'), '2001:db8::1/128')
  t.equal(parseAddressRange('2001:0DB8:0::/32'), '2001:db8::/32', 'one form')
  t.equal(parseAddressRange('0.0.0.0/0'), '0.0.0.0/0')
  for (const wrong of [
    '',
    'x',
    ' 192.0.2.7',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/08',
    '10.0.0/8',
    '::/129',
    '1.2.3.4/8/8',
    'fe80::1%lo/64',
    '10.0.0.0/-1',
  ]) {
    t.equal(parseAddressRange(wrong), undefined, wrong)
  }
  t.end()
})

t.test('one address below and above each edge', (t) => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ['10.0.0.0/8', '9.255.255.255', false],
    ['10.0.0.0/8', '10.0.0.0', true],
    ['10.0.0.0/8', '10.255.255.255', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['192.0.2.7/32', '::ffff:192.0.2.7', true],
    ['192.0.2.7/32', '::ffff:192.0.2.8', false],
    ['2001:db8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::', false],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['0.0.0.0/0', '::1', false],
    ['0.0.0.0/0', 'unix', false],
  ]
  for (const [range, address, isIn] of cases) t.equal(includesAddress(range, address), isIn, `${address} in ${range}`)
  t.equal(includesAddress(null, 'anything'), true)
  t.end()
})

t.test('a range lies in another that begins no later and is no narrower', (t) => {
  const cases: readonly (readonly [string | null, string, boolean])[] = [
    ['10.1.0.0/16', '10.0.0.0/8', true],
    ['10.0.0.0/8', '10.0.0.0/8', true],
    ['10.0.0.0/7', '10.0.0.0/8', false],
    ['11.0.0.0/16', '10.0.0.0/8', false],
    ['2001:db8::/48', '2001:db8::/32', true],
    [null, '0.0.0.0/0', false],
  ]
  for (const [range, outer, isIn] of cases) t.equal(isWithinRange(range, outer), isIn, `${range} in ${outer}`)
  t.end()
})

const rangeOf = (address: string) => parseAddressRange(address) ?? 'not a range'

t.test('an address is always in its own range', (t) => {
  fc.assert(fc.property(fc.ipV4(), (address) => includesAddress(rangeOf(address), address)))
  fc.assert(fc.property(fc.ipV6(), (address) => includesAddress(rangeOf(address), address)))
  t.end()
})
