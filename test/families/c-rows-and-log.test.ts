/** What the log proves is compared with rows; each proof names its key; and no key has to be written beside. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { canonicalJson } from '../../src/audit/canonical.ts'
import { checkpointBytes, encodeCheckpoint, openCheckpoint, readPublicKey } from '../../src/audit/checkpoint.ts'
import { type Keyring, openKeyring } from '../../src/store/keyring.ts'
import { startCompany } from '../e2e/company.ts'
import { issueToken } from '../e2e/database-client.ts'
import { startCommand } from '../sandbox/commands.ts'
import { startDaemon } from '../sandbox/daemon.ts'

function newKeyring(t: { teardown(end: () => void): void }): Keyring {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'sallyport-keys-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  return openKeyring(dir)
}

t.test('C2: a MAC begins with the id of its key; another id is refused, none is of an earlier version', async (t) => {
  const keyring = newKeyring(t)
  const mac = keyring.mac('grant', 'text')
  const id = keyring.ids['mac.key']
  t.match(mac, new RegExp(`^${id}\\.[\\w-]{43}$`))
  t.ok(keyring.checkMac('grant', 'text', mac))
  t.ok(keyring.checkMac('grant', 'text', mac.slice(id.length + 1)), 'as earlier versions wrote it')
  t.notOk(keyring.checkMac('grant', 'text', mac.replace(id, newKeyring(t).ids['mac.key'])))
  for (const odd of ['', '.', id, `${id}.`, `.${mac}`, `${mac}.`, mac.slice(id.length)])
    t.notOk(keyring.checkMac('grant', 'text', odd), JSON.stringify(odd))
})

t.test('C2: a sealed value begins with its version and the id of its key', async (t) => {
  const keyring = newKeyring(t)
  const sealed = keyring.seal('login', Buffer.from('secret'))
  t.equal(sealed[0], 2)
  t.equal(sealed.toString('hex', 1, 9), keyring.ids['sealing.key'])
  const earlier = Buffer.concat([Buffer.of(1), sealed.subarray(9)])
  t.equal(keyring.unseal('login', earlier).toString(), 'secret', 'as earlier versions wrote it')
  t.throws(() => keyring.unseal('logout', earlier), { code: 'INTERNAL' })
  t.throws(() => newKeyring(t).unseal('login', sealed), { cause: /sealed with the key [0-9a-f]{16}/ })
  for (let length = 0; length < sealed.length; length++)
    t.throws(() => keyring.unseal('login', sealed.subarray(0, length)), { code: 'INTERNAL' }, `${length} bytes`)
})

t.test('C2: a signature begins with the id of its key', async (t) => {
  const keyring = newKeyring(t)
  const key = readPublicKey(keyring.publicKeyPem)
  const facts = { v: 1, installation: 'ins_1', n: 1, seq: 0, hash: 'h', at: 1, key: keyring.signingKeyId } as const
  const body = encodeCheckpoint({ ...facts, recordings: [] })
  const signature = keyring.sign(checkpointBytes(body))
  t.match(signature, new RegExp(`^${keyring.signingKeyId}\\.[0-9a-f]{128}$`))
  const hex = signature.slice(17)
  t.equal(openCheckpoint({ body, signature }, key).ok, true)
  t.equal(openCheckpoint({ body, signature: hex }, key).ok, true, 'as earlier versions wrote it')
  for (const odd of [`${newKeyring(t).signingKeyId}.${hex}`, `.${hex}`, `${signature}.`, signature.toUpperCase(), ''])
    t.match(openCheckpoint({ body, signature: odd }, key), { ok: false, what: /signature/ }, odd)
})

await t.test('C2: whatever a daemon writes names its key', async (t) => {
  const company = await startCompany()
  t.teardown(() => company.close())
  const { id } = await company.grant()
  await issueToken(company, 'alice', { resource: 'orders', grant: id })
  await company.daemon.stop()
  const { databaseFile, anchorFile, keysDir } = company.daemon
  const { ids } = openKeyring(keysDir)
  const db = new DatabaseSync(databaseFile, { readOnly: true })
  t.teardown(() => db.close())
  const all = (sql: string) => db.prepare(sql).all() as Record<string, unknown>[]
  const tables = all("select m.name from sqlite_master m join pragma_table_info(m.name) c where c.name = 'mac'")
  t.ok(tables.length >= 8, `${tables.length} tables of rows with a MAC`)
  for (const { name } of tables)
    for (const { mac } of all(`select mac from ${name}`)) t.match(mac, new RegExp(`^${ids['mac.key']}\\.`), `${name}`)
  const sealed = [...all('select keys as x from connect_tokens'), ...all('select refresh_token as x from logins')]
  t.ok(sealed.length >= 2)
  for (const { x } of sealed)
    if (x) t.equal(Buffer.from(x as Uint8Array).toString('hex', 0, 9), `02${ids['sealing.key']}`)
  const anchored = readFileSync(anchorFile, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  for (const { signature } of [...all('select signature from audit_checkpoints'), ...anchored])
    t.match(signature, new RegExp(`^${ids['signing.pem']}\\.`))
})

/** Runs a command in a world where this folder is mounted read-only, which binds root too. */
function readOnly(dir: string): string[] {
  const script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
  return ['unshare', '-m', 'sh', '-c', script, dir]
}

/** Of an earlier version: without the id of a key, and in keys.dir. */
function spoolLine(keyring: Keyring, event: object): string {
  const json = canonicalJson({ at: Date.now(), event, id: 'spooled-before00' } as never)
  return `${keyring.mac('audit-spool', json).split('.')[1]} ${json}\n`
}

const [command = '', ...args] = readOnly(import.meta.dirname)
const mounted = await startCommand(command, [...args, 'touch', path.join(import.meta.dirname, 'x')]).ended
const skip = /Read-only file system/.test(mounted.stderr) ? false : 'mounting a folder read-only needs root'

await t.test("C1: keys.dir may be read-only; an earlier version's spool in it is read once", { skip }, async (t) => {
  const company = await startCompany()
  t.teardown(() => company.close())
  const { daemon, sandbox, api } = company
  t.same(readdirSync(daemon.keysDir).sort(), ['mac.key', 'sealing.key', 'signing.pem'], 'no spool is there')
  const { principals } = await api<{ principals: { id: string; name: string }[] }>('dave', 'GET', '/api/v1/principals')
  const alice = principals.find(({ name }) => name === 'alice@example.com')?.id ?? ''
  await daemon.stop()
  rmSync(path.join(daemon.stateDir, 'audit.spool'))
  const spool = path.join(daemon.keysDir, 'audit.spool')
  const fields = { principal: alice, locked_at: Date.now() }
  writeFileSync(spool, spoolLine(openKeyring(daemon.keysDir), { type: 'principal.locked', actor: 'system', fields }), {
    mode: 0o600,
  })
  const start = async () => {
    company.daemon = await startDaemon(sandbox, { files: company.daemon, through: readOnly(daemon.keysDir) })
  }
  await start()
  const lockedAt = async () =>
    (
      await api<{ principals: { id: string; lockedAt: number | null }[] }>('dave', 'GET', '/api/v1/principals')
    ).principals.find(({ id }) => id === alice)?.lockedAt
  t.equal(await lockedAt(), fields.locked_at, 'its removal is applied')
  await api('dave', 'POST', `/api/v1/principals/${alice}/unlock`, {})
  await company.daemon.stop()
  t.ok(readFileSync(spool).length > 0, 'it could not be removed')
  await start()
  t.equal(await lockedAt(), null, 'and is not applied again')
  const { events } = await api<{ events: object[] }>('carol', 'GET', '/api/v1/audit/events?type=principal.locked')
  t.equal(events.length, 1)
  await company.signIn(['alice'])
  await company.grant()
  t.match(await api('carol', 'GET', '/api/v1/audit/verify'), { ok: true })
  t.notMatch(company.daemon.log(), /EROFS/)
})
