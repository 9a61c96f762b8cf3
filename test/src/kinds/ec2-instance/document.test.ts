import t from 'tap'
import { checkDocument } from '../../../../src/kinds/ec2-instance/document.ts'

const pinned = { document: 'Sallyport-Shell', documentDigest: 'd'.repeat(64), osUser: 'deploy' }
const good = {
  schemaVersion: '1.0',
  sessionType: 'Standard_Stream',
  inputs: { runAsEnabled: true, runAsDefaultUser: 'deploy' },
}
const found = (content: unknown, digest = pinned.documentDigest) => ({ content: JSON.stringify(content), digest })

t.test('the document that was pinned, which runs shells as that user', async (t) => {
  checkDocument(pinned, found(good))
  checkDocument(pinned, found({ ...good, inputs: { ...good.inputs, kmsKeyId: '' } }))
  t.pass('is taken')
})

const refused: readonly (readonly [what: string, content: unknown, message: RegExp])[] = [
  ['another type of session', { ...good, sessionType: 'Port' }, /has the type Port/],
  ['no type', { inputs: good.inputs }, /has the type undefined/],
  ['run-as left out', { ...good, inputs: { runAsDefaultUser: 'deploy' } }, /does not say runAsEnabled/],
  ['run-as off', { ...good, inputs: { ...good.inputs, runAsEnabled: false } }, /does not say runAsEnabled/],
  ['run-as as a text', { ...good, inputs: { ...good.inputs, runAsEnabled: 'true' } }, /does not say runAsEnabled/],
  ['no inputs', { ...good, inputs: null }, /does not say runAsEnabled/],
  ['another user', { ...good, inputs: { ...good.inputs, runAsDefaultUser: 'root' } }, /as root, not as deploy/],
  ['no user', { ...good, inputs: { runAsEnabled: true } }, /as undefined, not as deploy/],
  ['a key of KMS', { ...good, inputs: { ...good.inputs, kmsKeyId: 'alias/x' } }, /by KMS, which is not supported yet/],
  ['no object', [], /has the type undefined/],
]

for (const [what, content, message] of refused)
  t.test(`${what}: refused, with what to do`, async (t) => {
    t.throws(() => checkDocument(pinned, found(content)), { code: 'TARGET_UNTRUSTED', message, hint: /\S/ })
  })

t.test('another digest is told, and nothing in the document counts then', async (t) => {
  const digest = 'e'.repeat(64)
  const refusal = { code: 'TARGET_UNTRUSTED', message: new RegExp(digest), hint: /document_digest/ }
  t.throws(() => checkDocument(pinned, found(good, digest)), refusal)
})

t.test('what is no JSON is no document', async (t) => {
  const text = { content: 'schemaVersion: 1.0', digest: pinned.documentDigest }
  t.throws(() => checkDocument(pinned, text), { code: 'TARGET_UNTRUSTED' })
})
