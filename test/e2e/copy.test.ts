/** `sallyport cp` through the real daemon to the program of the session document under a real shell, behind the sandbox's Session Manager. */
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { copyDocument } from '../../src/kinds/ec2-instance/copy-document.ts'
import { copyDocumentName } from '../../src/kinds/ec2-instance/copy-level.ts'
import { accounts, region, shellInstance, shellKey } from '../sandbox/default-world.ts'
import { noPty } from '../sandbox/ssm/shell.ts'
import { waitFor, waitUntil } from '../wait-until.ts'
import { startCompany } from './company.ts'

t.setTimeout(480_000)

const pty = { skip: noPty }
const company = await startCompany({ sandbox: { shells: true } })
t.teardown(() => company.close())
const { ssm, world } = company.sandbox.aws
const instance = world.instances.find(({ id }) => id === shellInstance)
if (!instance) throw new Error('there is no instance')
instance.pauseMs = 0
const documents = [null, shellKey].map((kmsKey) => {
  const level = { osUser: 'deploy', kmsKey }
  return { name: copyDocumentName(level), account: accounts.data, region, versions: [copyDocument(level) as never] }
})
world.sessionDocuments.push(...documents)
const dir = path.join(company.sandbox.dir, 'files')
mkdirSync(dir)
const { alice } = company.commands
const sum = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex')
const revoke = (id: string) => company.api('bob', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'incident 42' })
const at = (file: string) => `${shellInstance}:${file}`
const sessionOf = () => /ses_[0-9a-z]{26}/.exec(ssm.sessions.at(-1)?.reason ?? '')?.[0] ?? ''
const ending = (session: string) =>
  waitFor(
    async () => {
      const url = `/api/v1/audit/events?type=session.ended&subject=${session}`
      return (await company.api<{ events: { fields: Record<string, unknown> }[] }>('carol', 'GET', url)).events[0]
        ?.fields
    },
    () => `the end of ${session} is in the log\n${company.daemon.log()}`,
    20_000,
  )
const isLong = process.env.SALLYPORT_CLIENTS === 'true'
const megabytes = isLong ? 100 : 1
const strange = `it's "odd"\n$(touch injected) \`id\`;é`

t.test('up and down: the same bytes, on record, and found by name and digest', pty, async (t) => {
  const { id } = await company.grant(3_600_000, shellInstance, 'copy')
  const local = path.join(dir, 'local')
  writeFileSync(local, randomBytes(megabytes * 1024 * 1024), { mode: 0o640 })
  const remote = path.join(dir, strange)
  const up = await alice.run(['cp', local, at(remote), '--json'])
  t.equal(up.code, 0, up.stderr)
  const file = { path: remote, size: statSync(local).size, sha256: sum(local) }
  t.match(JSON.parse(up.stdout), { direction: 'up', files: [file], failed: [], skipped: [] })
  t.equal(sum(remote), sum(local))
  t.equal(statSync(remote).mode & 0o777, 0o640)
  t.notOk(existsSync('injected'))
  const session = sessionOf()
  t.match(ssm.sessions.at(-1), { document: 'Sallyport-Copy-deploy', parameters: { session, direction: 'up' } })
  t.match(await ending(session), { reason: 'upstream-closed', copy: 'up', os_user: 'deploy', bytes_up: file.size })
  const recording = await (await company.call('carol', 'GET', `/api/v1/recordings/${session}`)).text()
  t.match(recording, `"direction":"up","request":1,${JSON.stringify(file).slice(1, -1)}`)
  const found = await company.commands.carol.run(['recordings', 'search', sum(local), '--json'])
  t.match(found.stdout, session)
  const played = await company.commands.carol.run(['recordings', 'play', session])
  t.match(played, { code: 0, stdout: new RegExp(`file\\n[\\s\\S]*sha256: "${sum(local)}"`) })

  const folder = path.join(dir, 'tree')
  mkdirSync(path.join(folder, 'sub'), { recursive: true })
  writeFileSync(path.join(folder, 'sub', strange), 'deep')
  symlinkSync('/etc/passwd', path.join(folder, 'link'))
  const back = path.join(dir, 'back')
  const down = await alice.run(['cp', '-r', at(folder), back])
  t.match(down, { code: 0, stdout: /^copied 1 file, 4 bytes\n$/, stderr: /skipped .*link: links are not copied/ })
  t.equal(readFileSync(path.join(back, 'sub', strange), 'utf8'), 'deep')
  t.same(readdirSync(back), ['sub'])
  const small = await alice.run(['cp', at(remote), path.join(dir, 'down')])
  t.match(small, { code: 0 })
  t.equal(sum(path.join(dir, 'down')), sum(local))
  await revoke(id)
})

t.test('a link in the way here, levels without it, and a document that was changed', pty, async (t) => {
  const { id } = await company.grant(3_600_000, shellInstance, 'copy')
  mkdirSync(path.join(dir, 'into/back'), { recursive: true })
  symlinkSync(dir, path.join(dir, 'into/back/sub'))
  t.match(await alice.run(['cp', '-r', at(path.join(dir, 'back')), path.join(dir, 'into')]), {
    code: 1,
    stderr: /EEXIST/,
  })
  t.notOk(existsSync(path.join(dir, strange, 'deep')))
  const missing = await alice.run(['cp', at('/nowhere/x'), dir])
  t.match(missing, { code: 1, stderr: /\/nowhere\/x: there is no such file/ })

  const [plain] = documents
  plain?.versions.push({
    ...(copyDocument({ osUser: 'deploy', kmsKey: null }) as object),
    description: 'other',
  } as never)
  const before = ssm.sessions.length
  const changed = await alice.run(['cp', at('/etc/hostname'), dir])
  t.match(changed, { code: 5, stderr: /session document Sallyport-Copy-deploy is another one/ })
  plain?.versions.pop()
  await revoke(id)

  const { id: fetchOnly } = await company.grant(3_600_000, shellInstance, 'fetch')
  const denied = await alice.run(['cp', path.join(dir, 'local'), at('/tmp/x')])
  t.match(denied, { code: 4, stderr: /this access level copies no files to the instance/ })
  t.equal(ssm.sessions.length, before, 'nothing was asked of AWS')
  const sealed = await alice.run(['cp', at('/etc/hostname'), path.join(dir, 'hostname')])
  t.match(sealed, { code: 0 }, sealed.stderr)
  t.equal(sum(path.join(dir, 'hostname')), sum('/etc/hostname'))
  t.match(
    company.sandbox.aws.calls.findLast(({ action }) => action === 'GenerateDataKey'),
    { outcome: 'ok' },
  )
  await revoke(fetchOnly)
})

t.test('revoked in the middle, both ways: within a second, and nothing half is left', pty, async (t) => {
  const big = path.join(dir, 'big')
  writeFileSync(big, Buffer.alloc(20_000_000, 'x'))
  instance.pauseMs = 1
  for (const way of ['up', 'down'] as const) {
    const { id } = await company.grant(3_600_000, shellInstance, 'copy')
    const target = path.join(dir, `cut-${way}`)
    mkdirSync(target)
    const args = way === 'up' ? ['cp', big, at(target)] : ['cp', at(big), target]
    const copying = alice.start(args)
    await waitUntil(
      () => readdirSync(target).some((name) => statSync(path.join(target, name)).size > 100_000),
      () => `it is under way ${copying.output}`,
      20_000,
    )
    await revoke(id)
    const since = performance.now()
    const ended = await copying.ended
    t.match(ended, { code: 4, stderr: /access was revoked by bob.*incident 42/ })
    t.ok(performance.now() - since < 1000, `${performance.now() - since} ms`)
    await waitUntil(() => readdirSync(target).length === 0, 'nothing is left', 20_000)
    t.match(await ending(sessionOf()), { reason: 'grant-revoked', unfinished: 'ended' })
  }
  instance.pauseMs = 0
})
