import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { WatchedCertificate } from '../../../src/http/tls-files.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'

const dir = mkdtempSync(join(tmpdir(), 'sallyport-tls-'))
const logger = createLogger({ level: 'silent' })

function makePair(name: string): { cert: string; key: string } {
  const files = { cert: join(dir, `${name}.pem`), key: join(dir, `${name}.key`) }
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      ...curve,
      '-nodes',
      '-days',
      '1',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      files.key,
      '-out',
      files.cert,
    ],
    {
      stdio: 'ignore',
    },
  )
  return files
}

t.test('a renewed certificate is taken; a broken one leaves the old in use', async (t) => {
  const first = makePair('first')
  const second = makePair('second')
  const watched = new WatchedCertificate(first, logger)
  const before = watched.context
  t.notOk(watched.refresh(), 'nothing changed')
  copyFileSync(second.cert, first.cert)
  t.notOk(watched.refresh(), 'the key does not belong to the certificate')
  t.equal(watched.context, before)
  copyFileSync(second.key, first.key)
  t.ok(watched.refresh())
  t.not(watched.context, before)
  writeFileSync(first.cert, 'garbage')
  t.notOk(watched.refresh())
  t.match(watched.pem.cert, /BEGIN CERTIFICATE/)
})
