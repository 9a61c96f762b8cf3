/** A restore with a copy of the log from outside: what the store has lost is listed, locks hold again, and old keys are denied in AWS. */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { type AwsKeys, listBuckets } from '../e2e/aws-tool.ts'
import { companyIn } from '../e2e/company.ts'
import { startDaemon } from '../sandbox/daemon.ts'
import { arns } from '../sandbox/default-world.ts'
import { startSandbox } from '../sandbox/sandbox.ts'
import { waitUntil } from '../wait-until.ts'

interface Issued extends AwsKeys {
  readonly session: string
}

t.setTimeout(300_000)
const sandbox = await startSandbox()
t.teardown(() => sandbox.close())
const company = await companyIn(sandbox, {}, ['carol', 'dave'])
t.teardown(() => company.daemon.stop())
const files = company.daemon
const { carol, dave } = company.commands
const fileOf = (name: string) => path.join(files.dir, name)
const restore = (...more: string[]) => dave.run(['restore', '--config', files.configFile, ...more], files.env)
const issue = (resource: string) =>
  company.api<Issued>('alice', 'POST', '/api/v1/aws/credentials', { resource, level: 'readonly' })

const lockedIn = (stdout: string) => /^locked according to the copy, and locked again: (\w+)$/m.exec(stdout)?.[1] ?? ''

async function grantAndIssue(resource: string): Promise<Issued> {
  await company.grant(3_600_000, resource)
  return await issue(resource)
}

await carol.run(['audit', 'export', '--out', fileOf('older.jsonl')])
await dave.run(['backup', fileOf('backup'), '--config', files.configFile], files.env)

// None of it is in the backup, not even who these people are.
await company.signIn(['alice', 'bob'])
const revocable = await grantAndIssue('ReportsReader')
const outliving = await grantAndIssue('Deployer')
await company.api('dave', 'POST', '/api/v1/principals/bob@example.com/lock', { reason: 'gone' })
await carol.run(['audit', 'export', '--out', fileOf('copy.jsonl')])
await company.daemon.stop()
await dave.run(['restore', fileOf('backup'), '--overwrite', '--config', files.configFile], files.env)

await t.test('C1: a copy of the log names the keys and locks that the store has lost', async (t) => {
  const { code, stdout } = await restore('--log', fileOf('copy.jsonl'))
  t.equal(code, 1, 'looking changes nothing')
  t.match(stdout, /the copy of the log knows \d+ events that the store has lost/)
  for (const [keys, role] of [
    [revocable, arns.reports],
    [outliving, arns.deploy],
  ] as const)
    t.match(stdout, `lost: keys ${keys.accessKeyId} of ${role}, session ${keys.session}, until 20`)
  t.equal(stdout.match(/^cannot be revoked: /gm)?.length, 1, 'of the role without a boundary')
  t.match(stdout, `cannot be revoked: credentials of ${arns.deploy}, session ${outliving.session}, work until 20`)
  t.match(lockedIn(stdout), /^prn_/)
  t.match((await restore()).stdout, /without --log, locks and credentials .* are unknown/)
})

await t.test('C1: a copy that is older, damaged, cut or none at all', async (t) => {
  t.match((await restore('--log', fileOf('older.jsonl'))).stdout, /the copy of the log knows 0 events/)
  const text = readFileSync(fileOf('copy.jsonl'), 'utf8')
  writeFileSync(fileOf('changed.jsonl'), text.replace('principal.locked', 'principal.unlocked'))
  writeFileSync(fileOf('without-one.jsonl'), text.replace(/^.*credentials\.issued.*\n/m, ''))
  for (const name of ['changed.jsonl', 'without-one.jsonl', 'missing.jsonl']) {
    const refused = await restore('--log', fileOf(name), '--confirm', '000000000000')
    t.match(refused, { code: 1, stdout: '', stderr: new RegExp(name) }, name)
  }
})

await t.test('C1: once confirmed the lock holds, and what AWS handed out before is denied', async (t) => {
  t.same((await listBuckets(sandbox.aws.url, revocable)).length, 2, 'they work, and the store does not know them')
  const [, code = ''] = /--confirm (\w+)/.exec((await restore()).stdout) ?? []
  const confirmed = await restore('--confirm', code, '--log', fileOf('copy.jsonl'))
  t.match(confirmed, { code: 0, stdout: /^confirmed: /m })
  const bob = lockedIn(confirmed.stdout)
  company.daemon = await startDaemon(sandbox, { files })
  await company.signIn(['alice', 'carol', 'dave'])
  await t.rejects(company.signIn(['bob']), 'who was locked is locked, though the store does not know them')
  const isDenied = () =>
    listBuckets(sandbox.aws.url, revocable).then(
      () => false,
      ({ name }) => name === 'AccessDenied',
    )
  await waitUntil(isDenied, 'the boundary denies what was issued before', 20_000, 50)
  t.match(await carol.run(['audit', 'verify']), { code: 0, stdout: /the log forks at event \d+/ })

  await t.rejects(company.api('dave', 'POST', '/api/v1/principals/prn_nobody/unlock', {}), /NOT_FOUND/)
  t.match(await dave.run(['unlock', bob, '--reason', 'back']), { code: 0 })
  await t.rejects(company.api('dave', 'POST', `/api/v1/principals/${bob}/unlock`, {}), /NOT_FOUND/, 'once')
  await company.signIn(['bob'])
  const fresh = await grantAndIssue('ReportsReader')
  t.same((await listBuckets(sandbox.aws.url, fresh)).length, 2, 'new keys of the same role work')
})
