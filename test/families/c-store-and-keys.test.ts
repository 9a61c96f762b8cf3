/** Whoever reads or swaps the store or its keys gains nothing: private files, and a store that knows which keys it belongs to. */
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { CompiledQuery } from 'kysely'
import t from 'tap'
import { openStore } from '../../src/store/store.ts'
import { companyIn } from '../e2e/company.ts'
import { skipInShortRun } from '../long.ts'
import { startDaemon } from '../sandbox/daemon.ts'
import type { DaemonFiles } from '../sandbox/daemon-files.ts'
import { startSandbox } from '../sandbox/sandbox.ts'

process.umask(0o022)
const sandbox = await startSandbox()
t.teardown(() => sandbox.close())
const first = await startDaemon(sandbox)
await first.stop()

/** The files of the daemon that has stopped, in a folder of their own. */
async function copied(): Promise<DaemonFiles> {
  const files = await sandbox.writeConfig(mkdtempSync(path.join(sandbox.dir, 'copy-')))
  cpSync(first.databaseFile, files.databaseFile)
  cpSync(first.keysDir, files.keysDir, { recursive: true })
  cpSync(first.stateDir, files.stateDir, { recursive: true })
  return files
}

const modes = (file: string) => {
  const folder = path.dirname(file)
  const names = readdirSync(folder).filter((name) => name.startsWith(path.basename(file)))
  return Object.fromEntries(names.map((name) => [name, (statSync(path.join(folder, name)).mode & 0o777).toString(8)]))
}

await t.test('C3: the store is private whatever the umask; one that was not becomes so', async (t) => {
  const files = await copied()
  chmodSync(files.databaseFile, 0o644)
  const daemon = await startDaemon(sandbox, { files })
  t.teardown(() => daemon.stop())
  const found = modes(files.databaseFile)
  t.ok(Object.keys(found).length > 1, 'SQLite keeps companions of the file')
  for (const [name, mode] of Object.entries(found)) t.equal(mode, '600', name)
  t.same(Object.values(modes(first.databaseFile)), ['600'], 'a new one')
})

await t.test('C3: no page of it goes to a file of the temporary folder', async (t) => {
  const store = await openStore({ url: 'sqlite::memory:' })
  t.teardown(() => store.destroy())
  const { rows } = await store.executeQuery(CompiledQuery.raw('pragma temp_store'))
  t.same(rows, [{ temp_store: 2 }], 'memory')
})

await t.test('C3: a store that cannot be opened is an error of the store', async (t) => {
  await t.rejects(openStore({ url: `sqlite:${sandbox.dir}` }), { code: 'STORE_UNAVAILABLE' })
})

for (const lost of ['', 'mac.key', 'signing.pem', 'sealing.key'])
  await t.test(
    `H1: ${lost || 'keys.dir'} is gone: refused, and nothing is made in its place`,
    { skip: /ing/.test(lost) && skipInShortRun },
    async (t) => {
      const files = await copied()
      rmSync(path.join(files.keysDir, lost), { recursive: true })
      await t.rejects(startDaemon(sandbox, { files }), {
        message: new RegExp(`keys\\.dir: [^\\n]*${lost || 'signing.pem'}[^\\n]*missing[\\s\\S]*Restore keys\\.dir`),
      })
      t.throws(() => statSync(path.join(files.keysDir, lost || 'signing.pem')), { code: 'ENOENT' })
      cpSync(first.keysDir, files.keysDir, { recursive: true })
      const daemon = await startDaemon(sandbox, { files })
      await daemon.stop()
      t.pass('with its keys it starts again')
    },
  )

await t.test('H1: the keys of another installation, one or all of them', async (t) => {
  const other = await startDaemon(sandbox)
  await other.stop()
  for (const name of ['signing.pem', 'sealing.key', 'mac.key']) {
    const files = await copied()
    cpSync(path.join(other.keysDir, name), path.join(files.keysDir, name))
    await t.rejects(startDaemon(sandbox, { files }), { message: new RegExp(`keys\\.dir: [^\\n]*${name}`) }, name)
  }
})

await t.test('H1: an empty keys.dir beside an empty store is a first start', async (t) => {
  const daemon = await startDaemon(sandbox)
  t.same(readdirSync(daemon.keysDir).sort(), ['mac.key', 'sealing.key', 'signing.pem'])
  await daemon.stop()
})

await t.test(
  'H1: without a copy of keys.dir: started anew as docs/operations.md says, and the new log is proved',
  async (t) => {
    const documented = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')
    const [, section = ''] = /^## A lost keys\.dir\n([^#]+)/m.exec(documented) ?? []
    const files = await copied()
    cpSync(first.anchorFile, files.anchorFile)
    const places = {
      'an empty store': files.databaseFile,
      '`keys.dir`': files.keysDir,
      '`state.dir`': files.stateDir,
      '`recordings.dir`': files.recordingsDir,
    }
    for (const [words, place] of Object.entries({ ...places, '`audit.anchors`': files.anchorFile }))
      t.match(section, words, `${place} is named`)
    for (const place of Object.values(places)) rmSync(place, { recursive: true, force: true })
    const verify = async () => {
      const company = await companyIn(sandbox, { files }, ['carol'])
      const { code, stdout } = await company.commands.carol.run(['audit', 'verify'])
      await company.daemon.stop()
      return { code, stdout }
    }
    t.match(await verify(), { code: 1, stdout: /anchor .*it names the key/ }, 'with the anchor of the old keys')
    rmSync(files.anchorFile)
    t.match(await verify(), { code: 0, stdout: /^verified/ })
  },
)
