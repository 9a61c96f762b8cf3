import t from 'tap'
import { toPlainSessionName, toSessionName, toTagValue } from '../../../src/aws/session-names.ts'
import fc from '../../fast-check.ts'

/** Constraints of RoleSessionName, SourceIdentity and tag values in the STS API reference. */
const sessionName = /^[A-Za-z0-9_+=,.@-]{2,64}$/
const tagValue = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u

const anyLogin = fc.oneof(
  fc.emailAddress(),
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.stringMatching(/^[\w+=,.@-]{0,80}$/),
)

t.test('every login becomes a name that STS takes', async () => {
  fc.assert(fc.property(anyLogin, (login) => sessionName.test(toSessionName(login))))
})

t.test('two logins never share a name, however alike', async () => {
  fc.assert(fc.property(anyLogin, anyLogin, (a, b) => a === b || toSessionName(a) !== toSessionName(b)))
  const long = 'a'.repeat(70)
  const names = ['o’neil@example.com', 'o!neil@example.com', 'o?neil@example.com', `${long}1`, `${long}2`].map(
    toSessionName,
  )
  t.equal(new Set(names).size, names.length)
  fc.assert(
    fc.property(anyLogin, (login) => {
      const name = toSessionName(login)
      return name === login || toSessionName(name) !== name
    }),
    { examples: [['x']] },
  )
})

t.test('a fit login stays as it is; AWS keeps names that begin with aws: for itself', async (t) => {
  t.equal(toSessionName('jane@example.com'), 'jane@example.com')
  t.match(toSessionName('x'), /^x-[0-9a-f]{8}$/)
  t.match(toSessionName('aws:root'), /^aws-root-[0-9a-f]{8}$/)
})

t.test(
  'names for clusters: no @, which EKS would write as -; still one for each login, and one that people can read',
  async (t) => {
    t.equal(toPlainSessionName('alice@example.com'), 'alice=40example.com')
    t.equal(toPlainSessionName('alice-example.com'), 'alice-example.com')
    const plain = /^[A-Za-z0-9_+=,.-]{2,64}$/
    const inEks = (login: string) => toPlainSessionName(login).replaceAll('@', '-')
    fc.assert(fc.property(anyLogin, (login) => plain.test(toPlainSessionName(login))))
    fc.assert(fc.property(anyLogin, anyLogin, (a, b) => a === b || inEks(a) !== inEks(b)))
    fc.assert(
      fc.property(anyLogin, (login) => {
        const name = toPlainSessionName(login)
        return toPlainSessionName(name) !== name || name === login
      }), // the name of one is not the login of another that stays as it is
    )
  },
)

t.test('every text becomes a tag value that STS takes, and two texts never the same', async () => {
  const anyText = fc.string({ unit: 'grapheme', maxLength: 400 })
  fc.assert(fc.property(anyText, (text) => tagValue.test(toTagValue(text))))
  fc.assert(fc.property(anyText, anyText, (a, b) => a === b || toTagValue(a) !== toTagValue(b)))
})
