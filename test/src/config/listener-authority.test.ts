import t from 'tap'
import { authorityIn } from '../../../src/config/listener-authority.ts'
import { createAuthority } from '../../sandbox/certificates.ts'

t.test('the end of a chain is an authority where it has signed itself', async (t) => {
  const authority = createAuthority()
  const { cert } = authority.issue(['localhost'])
  t.equal(authorityIn(`${cert}${authority.cert}`)?.trim(), authority.cert.trim())
  t.equal(authorityIn(authority.cert)?.trim(), authority.cert.trim())
  t.equal(authorityIn(cert), null, 'a public one, or one that is not in the file')
  t.equal(authorityIn(`${authority.cert}${cert}`), null)
})

t.test('what is no certificate names no authority', async (t) => {
  for (const pem of ['', 'x', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'])
    t.equal(authorityIn(pem), null)
})
