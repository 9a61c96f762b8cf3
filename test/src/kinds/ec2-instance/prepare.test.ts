import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { checkDocument } from '../../../../src/kinds/ec2-instance/document.ts'
import type { InstanceLevel } from '../../../../src/kinds/ec2-instance/level.ts'
import { documentContent, prepareInstance } from '../../../../src/kinds/ec2-instance/prepare.ts'
import { documentDigest } from '../../../sandbox/ssm/documents.ts'

const target = { partition: 'aws', account: '111122223333', region: 'eu-west-1', instanceId: 'i-1', role: null }
const as = { osUser: 'deploy', kmsKey: null }
const level: InstanceLevel = {
  document: 'Sallyport-Shell',
  documentDigest: documentDigest(documentContent('shell', as)),
  commands: { document: 'Sallyport-Command', documentDigest: documentDigest(documentContent('command', as)) },
  ...as,
  recordsInput: false,
  idleTimeoutMs: 0,
  isRecordingStrict: false,
  budget: null,
  forward: [],
  ssh: 'none',
  copy: [],
}

t.test('the documents that it prints are those that a level may name', async (t) => {
  for (const use of ['shell', 'command'] as const)
    for (const kmsKey of [null, 'arn:aws:kms:eu-west-1:111122223333:key/1234']) {
      const content = documentContent(use, { ...as, kmsKey })
      const pinned = { ...as, kmsKey, document: 'Sallyport-X', documentDigest: documentDigest(content) }
      checkDocument(pinned, { content: JSON.stringify(content), digest: pinned.documentDigest }, use)
    }
  t.pass('each is taken')
})

t.test('each document and each user once, with the levels that need it', async (t) => {
  const levels = new Map([
    ['readonly', level],
    ['watched', { ...level, commands: null, documentDigest: 'd'.repeat(64) }],
    ['admin', { ...level, commands: null, document: 'Sallyport-Root', osUser: 'ops' }],
  ])
  const steps = prepareInstance(target, levels)
  t.match(
    steps.map(({ what, levels: of }) => `${what}: ${of.join()}`),
    [
      /Sallyport-Shell, .*: readonly,watched$/,
      /Sallyport-Command, .*: readonly$/,
      /Sallyport-Root, .*: admin$/,
      /^make the user deploy, on i-1 as root: readonly,watched$/,
      /^make the user ops, .*: admin$/,
    ],
  )
  const [shell] = steps
  t.match(
    shell?.text,
    new RegExp(`^# watched name another: set document_digest to this one.*\n# Its SHA-256: ${level.documentDigest}\n`),
  )
})

t.test('a shell runs it: the document is written, made, and made the default where it was another', async (t) => {
  const [step] = prepareInstance(target, new Map([['readonly', level]]))
  const bin = t.testdir({ aws: '#!/bin/sh\necho "$2 $@" >> calls\n[ "$2" != create-document ] && echo 7\n' })
  execFileSync('chmod', ['+x', path.join(bin, 'aws')])
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` }
  execFileSync('/bin/sh', ['-e', '-c', step?.text ?? ''], { cwd: bin, env, stdio: 'pipe' })
  const written = JSON.parse(readFileSync(path.join(bin, 'Sallyport-Shell.json'), 'utf8'))
  t.equal(documentDigest(written), level.documentDigest)
  const calls = readFileSync(path.join(bin, 'calls'), 'utf8').trim().split('\n')
  t.match(calls, [/^create-document/, /^update-document /, /^update-document-default-version.*--document-version 7$/])
})
