/** The whole way back: a backup under load, put elsewhere or over a store that has moved on, confirmed, and nothing of before works. */
import { cpSync, mkdtempSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { type Company, companyIn, startCompany } from '../e2e/company.ts'
import { clientFor, issueToken, refusal } from '../e2e/database-client.ts'
import type { DaemonFiles } from '../sandbox/daemon-files.ts'

const company = await startCompany()
t.teardown(() => company.close())
t.setTimeout(600_000)
const { sandbox } = company
const { dave } = company.commands
const files = company.daemon
const monday = path.join(files.dir, 'monday')

await company.grant()
const token = await issueToken(company)
let lostToken = token

await t.test('H2: backups under load, and the store moves on', async (t) => {
  let isRunning = true
  const load = async () => {
    while (isRunning) await company.grant()
  }
  const loads = load()
  for (let n = 1; n <= 3; n++) {
    const made = await dave.run(
      ['backup', n === 1 ? monday : `${monday}-${n}`, '--config', files.configFile],
      files.env,
    )
    t.match(made, { code: 0, stderr: '' }, `backup ${n}`)
  }
  isRunning = false
  await loads

  lostToken = await issueToken(company)
  await company.api('dave', 'POST', `/api/v1/principals/${encodeURIComponent('alice@example.com')}/lock`, {
    reason: 'gone',
  })
  await company.daemon.stop()
})

const codeIn = (text: string) => /--confirm ([0-9a-f]{12})/.exec(text)?.[1] ?? 'none'

/** From the backup to a daemon that works again. */
async function wayBack(t: Tap, place: DaemonFiles, from: string, ...more: string[]): Promise<void> {
  const run = (...args: string[]) => dave.run(['restore', ...args, '--config', place.configFile], place.env)
  const put = await run(from, ...more)
  t.match(put, { code: 0, stdout: /^restored .*, log up to event \d+/ }, 'it is put back')
  const code = codeIn(put.stdout)

  const old = (issued: typeof token) => clientFor(company, { ...issued, port: place.postgresPort })
  await withDaemon(place, true, async (closed) => {
    t.match(await refusal(old(token)), { code: '57P03', message: /does not trust its store/ })
    for (const route of ['/api/v1/grants', '/login']) t.equal((await closed.call('carol', 'GET', route)).status, 503)
    const ready = await fetch(`${place.url}/readyz`)
    t.equal(ready.status, 503)
    t.equal(codeIn(await ready.text()), code, 'what it says to run is what the command has said')
  })
  t.match(await run(), { code: 1, stdout: new RegExp(`--confirm ${code}`) })
  t.match(await run('--confirm', code), { code: 0, stdout: /confirmed: every grant/ })

  await withDaemon(place, false, async (open) => {
    for (const issued of [token, lostToken]) t.match(await refusal(old(issued)), { code: '28P01' })
    t.equal((await open.call('carol', 'GET', '/api/v1/grants')).status, 401, 'nobody is signed in')
    await open.signIn(['alice', 'bob', 'carol', 'dave'])
    const { grants } = await open.api<{ grants: { state: string }[] }>('dave', 'GET', '/api/v1/grants?all=true')
    t.same(
      grants.filter(({ state }) => state === 'active'),
      [],
      'no grant lives',
    )
    t.match(await open.commands.carol.run(['audit', 'verify']), {
      code: 0,
      stdout: /the log forks at event \d+, by a confirmed restore/,
    })
    await open.grant()
    const fresh = clientFor(open, await issueToken(open))
    await fresh.connect()
    await fresh.end()
  })
}

type Tap = Pick<typeof t, 'match' | 'equal' | 'same'>

async function withDaemon(place: DaemonFiles, closed: boolean, use: (company: Company) => Promise<void>) {
  const there = await companyIn(sandbox, { files: place, closed }, [])
  try {
    await use(there)
  } finally {
    await there.daemon.stop()
  }
}

await t.test('H2: on another machine, where no state is', async (t) => {
  const other = await sandbox.writeConfig(mkdtempSync(path.join(sandbox.dir, 'other-')))
  cpSync(files.keysDir, other.keysDir, { recursive: true })
  await wayBack(t, other, monday)
})

await t.test('H2: over a store that has moved on', (t) => wayBack(t, files, monday, '--overwrite'))

await t.test('H2: from the file that an earlier restore kept', async (t) => {
  const kept = `${files.databaseFile}.before-restore`
  const put = await dave.run(['restore', kept, '--overwrite', '--config', files.configFile], files.env)
  t.match(put, { code: 0, stdout: /kept what was there: .*\.before-restore-2\n[\s\S]*--confirm [0-9a-f]{12}/ })
})

await t.test('H2: to put back and to confirm are two steps', async (t) => {
  const run = (...args: string[]) => dave.run(['restore', ...args, '--config', files.configFile], files.env)
  t.match(await run(monday, '--confirm', '000000000000'), { code: 2, stderr: /put the backup back first/ })
  t.match(await run('--overwrite'), { code: 2, stderr: /needs a backup/ })
})
