import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { keyFiles, openKeyring } from '../../../src/store/keyring.ts'

const newDir = () => join(mkdtempSync(join(tmpdir(), 'sallyport-keys-')), 'keys')

t.test('keys are made once, private, and the same after a restart', async (t) => {
  const dir = newDir()
  const first = openKeyring(dir)
  const sealed = first.seal('a', Buffer.from('secret'))
  const mac = first.mac('grant', 'text')
  const signature = first.sign(Buffer.from('checkpoint'))
  const second = openKeyring(dir)
  t.equal(second.signingKeyId, first.signingKeyId)
  t.equal(second.unseal('a', sealed).toString(), 'secret')
  t.ok(second.checkMac('grant', 'text', mac))
  t.equal(second.sign(Buffer.from('checkpoint')), signature)
  t.equal(statSync(dir).mode & 0o777, 0o700)
  t.equal(statSync(join(dir, 'mac.key')).mode & 0o777, 0o600)
})

t.test('daemons that start at once on a shared folder have the same keys', async (t) => {
  const dir = newDir()
  const source = new URL('../../../src/store/keyring.ts', import.meta.url).href
  const code = `
    const { parentPort } = require('node:worker_threads')
    import('${source}').then(({ openKeyring }) => parentPort.once('message', (dir) => parentPort.postMessage(openKeyring(dir).ids)))
      .then(() => parentPort.postMessage('loaded'))`
  const workers = Array.from({ length: 4 }, () => new Worker(code, { eval: true }))
  await Promise.all(workers.map((worker) => once(worker, 'message')))
  const answers = workers.map((worker) => once(worker, 'message'))
  for (const worker of workers) worker.postMessage(dir)
  const found = (await Promise.all(answers)).map(([ids]) => ids)
  t.same(found, Array(4).fill(openKeyring(dir).ids))
  t.same(readdirSync(dir).sort(), [...keyFiles].sort(), 'and nothing else is left')
})

t.test('a seal and a MAC hold for their purpose and bytes only', async (t) => {
  const keyring = openKeyring(newDir())
  const sealed = keyring.seal('refresh-token', Buffer.from('secret'))
  t.throws(() => keyring.unseal('verifier', sealed), { code: 'INTERNAL' })
  for (let i = 0; i < sealed.length; i++) {
    const broken = Buffer.from(sealed)
    broken[i] = (broken[i] ?? 0) ^ 1
    t.throws(() => keyring.unseal('refresh-token', broken), { code: 'INTERNAL' }, `byte ${i}`)
  }
  const mac = keyring.mac('grant', 'text')
  t.notOk(keyring.checkMac('token', 'text', mac))
  t.notOk(keyring.checkMac('grant', 'texu', mac))
  t.notOk(keyring.checkMac('grant', 'text', ''))
})

t.test('a key that others may read, or a damaged one, is refused', async (t) => {
  const dir = newDir()
  openKeyring(dir)
  chmodSync(join(dir, 'mac.key'), 0o644)
  t.throws(() => openKeyring(dir), { code: 'CONFIG_INVALID', message: /mac\.key is readable by other users/ })
  chmodSync(join(dir, 'mac.key'), 0o600)
  writeFileSync(join(dir, 'mac.key'), 'short')
  t.throws(() => openKeyring(dir), { code: 'CONFIG_INVALID', message: /mac\.key is damaged/ })
})
