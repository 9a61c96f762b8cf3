/** Who may: one policy for every credential and every door. */
import t from 'tap'
import { includesAddress, isWithinRange, parseAddressRange } from '../../proxy/ports/address-range.ts'
import { prefixOf, withoutMapping } from '../../proxy/ports/source-address.ts'
import { isForbidden } from '../../proxy/reach/forbidden-addresses.ts'
import { readCidr } from '../../src/identity/tokens/cidr.ts'

t.test('D5: a range of mapped addresses is the range of IPv4 that it stands for', (t) => {
  t.equal(parseAddressRange('::ffff:127.0.0.0/104'), '127.0.0.0/8')
  t.equal(parseAddressRange('::FFFF:7f00:1'), '127.0.0.1/32')
  t.equal(parseAddressRange('0:0:0:0:0:ffff:10.1.2.3/128'), '10.1.2.3/32')
  t.equal(parseAddressRange('::ffff:0.0.0.0/96'), '0.0.0.0/0')
  for (const around of ['::ffff:127.0.0.0/24', '::ffff:10.0.0.0/8', '::ffff:0:0/95'])
    t.throws(() => readCidr(around), { code: 'INVALID_INPUT' }, around)
  t.end()
})

t.test('D5: a token never issues one for more than its own range, however either is written', (t) => {
  for (const outer of ['127.0.0.0/8', '::ffff:127.0.0.0/104', '::ffff:7f00:0/104']) {
    for (const wider of ['::ffff:127.0.0.0/24', '::ffff:127.0.0.0/103', '::ffff:0.0.0.0/96', '::/0', '126.0.0.0/7'])
      t.notOk(isWithinRange(wider, outer), `${wider} in ${outer}`)
    for (const inner of ['127.1.0.0/16', '::ffff:127.1.0.0/112', '::ffff:7f01:0/112', '127.0.0.0/8'])
      t.ok(isWithinRange(inner, outer), `${inner} in ${outer}`)
  }
  t.ok(isWithinRange('10.0.0.0/8', '::/0'))
  t.notOk(isWithinRange('10.0.0.0/8', '::ffff:128.0.0.0/97'))
  t.end()
})

t.test('D5: addresses of clients and targets, in hexadecimal and in full too', (t) => {
  for (const address of ['::ffff:192.0.2.7', '::ffff:c000:207', '0:0:0:0:0:FFFF:C000:0207']) {
    t.equal(withoutMapping(address), '192.0.2.7')
    t.ok(includesAddress('192.0.2.7/32', address), address)
    t.notOk(includesAddress('192.0.2.8/32', address), address)
    t.ok(includesAddress('::ffff:192.0.2.0/120', address), 'a range that an earlier version stored')
  }
  for (const metadata of ['::ffff:169.254.169.254', '::ffff:a9fe:a9fe', '0:0:0:0:0:ffff:a9fe:a9fe'])
    t.ok(isForbidden(metadata), metadata)
  for (const other of ['2001:db8::1', 'fe80::1%eth0', 'orders.example', '::1']) t.equal(withoutMapping(other), other)
  t.equal(prefixOf(withoutMapping('::ffff:c000:207')), '192.0.2.7')
  t.end()
})
