/** A backup while the daemon works, put back elsewhere; nothing half, nothing overwritten, and no keys unless asked for. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import path from 'node:path'
import t from 'tap'
import { backupSocketOf } from '../../src/store/state-dir.ts'
import { startCompany } from '../e2e/company.ts'
import { waitUntil } from '../wait-until.ts'

const company = await startCompany()
t.teardown(() => company.close())
const { daemon, sandbox, commands } = company
const { carol, dave } = commands
const dirOf = (name: string) => path.join(daemon.dir, name)
const take = (name: string, ...more: string[]) =>
  dave.run(['backup', dirOf(name), '--config', daemon.configFile, ...more], daemon.env)
const documented = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')

/** A command of docs/operations.md, with these places instead of its own. */
function asDocumented(command: string, configFile: string): string[] {
  const line = documented.split('\n').find((text) => text.startsWith(`sallyport ${command} `)) ?? ''
  const places = { '/var/backups/sallyport/monday': dirOf('first'), '/etc/sallyport/sallyport.yaml': configFile }
  return line
    .split(' ')
    .slice(1)
    .map((word) => places[word as keyof typeof places] ?? word)
}

const mode = (file: string) => (statSync(file).mode & 0o777).toString(8)
const copies = () => readdirSync(daemon.stateDir).filter((name) => /^backup-.*\.db/.test(name))

await t.test('H2: a backup under load, restored into another folder, verifies there', async (t) => {
  let isRunning = true
  const load = async () => {
    while (isRunning) await company.grant()
  }
  const loads = [load(), load()]
  mkdirSync(`${dirOf('first')}.part`) // of one that was killed
  writeFileSync(`${dirOf('first')}.part/store.db`, 'half')
  const made = await dave.run(asDocumented('backup', daemon.configFile), daemon.env)
  isRunning = false
  await Promise.all(loads)
  t.match(made, { code: 0, stderr: '', stdout: /wrote .* log up to event \d+/ })
  t.same(readdirSync(dirOf('first')).sort(), ['manifest.json', 'store.db'], 'no keys, and one file')
  t.equal(mode(dirOf('first')), '700')
  t.equal(mode(path.join(dirOf('first'), 'store.db')), '600')
  t.notOk(existsSync(`${dirOf('first')}.part`))
  await waitUntil(() => copies().length === 0, 'the daemon has deleted its copy')
  t.match(await company.api('carol', 'GET', '/api/v1/audit/events?type=store.backed-up'), {
    events: [{ fields: { keys: false } }],
  })

  const other = await sandbox.writeConfig(mkdtempSync(path.join(sandbox.dir, 'other-')))
  const restore = (...more: string[]) =>
    dave.run(['restore', dirOf('first'), '--config', other.configFile, ...more], other.env)
  t.match(await restore(), { code: 1, stderr: /keys\.dir .* has no keys/ })
  cpSync(daemon.keysDir, other.keysDir, { recursive: true })
  t.match(await restore(), { code: 0, stdout: /restored [\s\S]*--confirm [0-9a-f]{12}/ })
  t.equal(mode(other.databaseFile), '600')
  writeFileSync(path.join(other.dir, 'key.pem'), daemon.publicKeyPem())
  const offline = ['--store', `sqlite:${other.databaseFile}`, '--public-key', path.join(other.dir, 'key.pem')]
  t.match(await carol.run(['audit', 'verify', ...offline]), { code: 0, stdout: /^verified: \d+ events/ })
  t.match(await restore(), { code: 1, stderr: /exists[\s\S]*--overwrite/ })
  const before = statSync(other.databaseFile).ino
  t.match(await dave.run(asDocumented('restore', other.configFile), other.env), { code: 0 })
  t.match(await dave.run(asDocumented('config check', other.configFile), other.env), { code: 0 })
  t.equal(statSync(`${other.databaseFile}.before-restore`).ino, before, 'what was there is kept')
})

await t.test('H2: with keys only when asked, private and with a warning', async (t) => {
  const made = await take('private', '--with-keys')
  t.match(made, { code: 0, stderr: /holds the keys/ })
  for (const name of ['mac.key', 'sealing.key', 'signing.pem'])
    t.equal(mode(path.join(dirOf('private'), 'keys', name)), '600', name)
  t.match(await take('private'), { code: 1, stderr: /exists/ })
})

await t.test('H2: a damaged backup, one of other keys, and a store in use are refused', async (t) => {
  const restore = (name: string, configFile: string) =>
    dave.run(['restore', dirOf(name), '--config', configFile, '--overwrite'], daemon.env)
  const before = statSync(daemon.databaseFile).ino
  t.match(await restore('first', daemon.configFile), { code: 1, stderr: /in use: stop the daemon first/ })
  t.equal(statSync(daemon.databaseFile).ino, before)
  const other = await sandbox.writeConfig(mkdtempSync(path.join(sandbox.dir, 'foreign-')))
  cpSync(daemon.keysDir, other.keysDir, { recursive: true })
  writeFileSync(path.join(other.keysDir, 'mac.key'), Buffer.alloc(32, 1).toString('base64'))
  t.match(await restore('first', other.configFile), { code: 1, stderr: /not the mac\.key of this backup/ })
  cpSync(dirOf('first'), dirOf('damaged'), { recursive: true })
  const store = path.join(dirOf('damaged'), 'store.db')
  const bytes = readFileSync(store)
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
  writeFileSync(store, bytes)
  t.match(await restore('damaged', other.configFile), { code: 1, stderr: /damaged/ })
  t.notOk(existsSync(other.databaseFile), 'nothing was put there')
})

await t.test('H2: an asker that is gone in the middle leaves no copy', async (t) => {
  t.equal(mode(backupSocketOf(daemon.stateDir)), '600')
  const socket = connect(backupSocketOf(daemon.stateDir))
  socket.write('backup\n')
  await waitUntil(() => copies().length > 0, 'a copy is being made')
  socket.destroy()
  await waitUntil(() => copies().length === 0, 'it is gone')
  const { stdout, stderr, code } = await take('nowhere/else')
  t.equal(code, 0, stdout + stderr)
})

await t.test(
  'H2: a backup command that is killed leaves nothing that looks like a backup, and is run again',
  async (t) => {
    const part = `${dirOf('killed')}.part`
    const moments: Readonly<Record<string, () => boolean>> = {
      'the daemon copies': () => copies().length > 0,
      'the folder is being made': () => existsSync(part) || existsSync(dirOf('killed')),
    }
    for (const [name, hasCome] of Object.entries(moments)) {
      const running = dave.start(['backup', dirOf('killed'), '--config', daemon.configFile], daemon.env)
      await waitUntil(hasCome, name, 15_000, 1)
      running.child.kill('SIGKILL')
      await running.ended
      await waitUntil(() => copies().length === 0, 'the daemon has deleted its copy')
      t.equal(
        existsSync(dirOf('killed')),
        existsSync(path.join(dirOf('killed'), 'manifest.json')),
        `${name}: whole or absent`,
      )
    }
    if (!existsSync(dirOf('killed'))) t.match(await take('killed'), { code: 0 })
    t.same(readdirSync(dirOf('killed')).sort(), ['manifest.json', 'store.db'])
  },
)

await t.test('H2: without a daemon there is nothing to copy, and it says so', async (t) => {
  await daemon.stop()
  t.match(await take('late'), { code: 1, stderr: /no daemon answers at .*backup\.sock/ })
  t.notOk(existsSync(dirOf('late')))
})
