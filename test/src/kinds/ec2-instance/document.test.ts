import t from 'tap'
import { checkDocument } from '../../../../src/kinds/ec2-instance/document.ts'

const pinned = { document: 'Sallyport-Shell', documentDigest: 'd'.repeat(64), osUser: 'deploy', kmsKey: null }
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
  ['a key of KMS', { ...good, inputs: { ...good.inputs, kmsKeyId: 'alias/x' } }, /encrypts sessions with alias\/x/],
  ['no object', [], /has the type undefined/],
]

for (const [what, content, message] of refused)
  t.test(`${what}: refused, with what to do`, async (t) => {
    t.throws(() => checkDocument(pinned, found(content)), { code: 'TARGET_UNTRUSTED', message, hint: /\S/ })
  })

t.test('the key of KMS that the level names, and no other', async (t) => {
  const kmsKey = 'arn:aws:kms:eu-west-1:111122223333:key/1234'
  const withKey = (kmsKeyId: unknown) => found({ ...good, inputs: { ...good.inputs, kmsKeyId } })
  checkDocument({ ...pinned, kmsKey }, withKey(kmsKey))
  for (const other of ['', undefined, 'alias/x', `${kmsKey}5`, 7])
    t.throws(() => checkDocument({ ...pinned, kmsKey }, withKey(other)), {
      code: 'TARGET_UNTRUSTED',
      message: /encrypts sessions with/,
      hint: new RegExp(kmsKey),
    })
})

const command = {
  ...good,
  sessionType: 'NonInteractiveCommands',
  parameters: { command: { type: 'String' } },
  properties: { linux: { commands: '{{ command }}', separateOutputStream: 'true' } },
}
const withLinux = (linux: object) => ({ ...command, properties: { linux: { ...command.properties.linux, ...linux } } })

t.test('a document of commands, which tells outputs and exit code apart', async (t) => {
  checkDocument(pinned, found(command), 'command')
  checkDocument(pinned, found(withLinux({ separateOutputStream: true, runAsElevated: false })), 'command')
  t.pass('is taken')
})

const refusedCommands: readonly (readonly [what: string, content: unknown, message: RegExp])[] = [
  ['a document of shells', good, /has the type Standard_Stream/],
  ['one with a terminal', { ...command, sessionType: 'InteractiveCommands' }, /has the type InteractiveCommands/],
  ['run-as off', { ...command, inputs: {} }, /commands would have sudo/],
  ['as root', withLinux({ runAsElevated: true }), /commands would run as root/],
  ['as root, as a text', withLinux({ runAsElevated: 'true' }), /commands would run as root/],
  ['outputs in one', withLinux({ separateOutputStream: 'false' }), /does not say separateOutputStream/],
  ['no properties', { ...command, properties: null }, /does not say separateOutputStream/],
  ['a prefix', withLinux({ stdErrSeparatorPrefix: 'ERR: ' }), /puts a prefix/],
  ['a command of its own', withLinux({ commands: 'id' }), /does not run the command/],
]

for (const [what, content, message] of refusedCommands)
  t.test(`commands, ${what}: refused, with what to do`, async (t) => {
    const refusal = { code: 'TARGET_UNTRUSTED', message, hint: /\S/ }
    t.throws(() => checkDocument(pinned, found(content), 'command'), refusal)
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
