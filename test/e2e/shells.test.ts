/** Shells from a terminal's websocket through the real daemon to a real `sh` under a pty, behind the sandbox's Session Manager. */
import { hash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { currentLogin } from '../../src/cli/login/login-store.ts'
import { residentMegabytes } from '../bench/memory.ts'
import { program } from '../program.ts'
import { startCommand } from '../sandbox/commands.ts'
import { startDaemon } from '../sandbox/daemon.ts'
import { accounts, arns, shellInstance, shellKey } from '../sandbox/default-world.ts'
import type { AccountName } from '../sandbox/oidc/accounts.ts'
import { noPty } from '../sandbox/ssm/shell.ts'
import { startTcpProxy } from '../sandbox/tcp-proxy.ts'
import { waitFor, waitUntil } from '../wait-until.ts'
import { startCompany } from './company.ts'
import { openDatabase } from './database-client.ts'
import { openShell, openWatch } from './shell-client.ts'

t.setTimeout(480_000)

const pty = { skip: noPty }
/** Its own terminal for a command: what is written to its standard input is typed there. */
const underPty = 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))'
const company = await startCompany({
  sandbox: { shells: true },
  overrides: { limits: { sessions_per_principal: 4, sessions_per_resource: 3 } },
})
t.teardown(() => company.close())
const { ssm, world } = company.sandbox.aws
const endOf = async (session: string) =>
  await waitFor(
    async () => {
      const path = `/api/v1/audit/events?type=session.ended&subject=${session}`
      return (await company.api<{ events: { fields: Record<string, unknown> }[] }>('carol', 'GET', path)).events[0]
    },
    () => `the end of ${session} is in the log\n${company.daemon.log()}`,
    20_000,
  )
const sessionOf = (awsSession = ssm.sessions.at(-1)) => /ses_[0-9a-z]{26}/.exec(awsSession?.reason ?? '')?.[0] ?? ''
const isOver = (awsSession = ssm.sessions.at(-1)) =>
  waitUntil(() => !ssm.isActive(awsSession?.sessionId ?? ''), 'it is over at AWS', 20_000)
const openedWith = () => company.sandbox.aws.calls.filter(({ action }) => action === 'StartSession')
const revoke = (id: string) => company.api('bob', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'incident 42' })
const document = () => {
  const found = world.sessionDocuments.find(({ name }) => name === 'Sallyport-Shell')
  if (!found) throw new Error('there is no document for shells')
  return found
}

t.test('what approvers see of it, and a shell as it was approved', pty, async (t) => {
  const { id } = await company.grant(3_600_000, shellInstance)
  const shell = await openShell(company)
  await shell.shows(/\$ /)
  shell.type('echo $((6*7))x; stty size\r')
  await shell.shows(/42x\r\n30 100/)
  const awsSession = ssm.sessions.at(-1)
  t.match(awsSession, { target: shellInstance, document: 'Sallyport-Shell', reason: /^sallyport ses_/ })
  t.match(awsSession?.owner, `arn:aws:sts::${accounts.data}:assumed-role/SallyportShells/sp-alice@example.com`)
  t.match(awsSession?.sessionId, /^sp-alice@example.com-/)
  const assumed = company.sandbox.aws.calls.findLast(({ parameters }) => parameters.RoleArn === arns.shells)
  t.match(assumed?.assumeRole?.tags, { SSMSessionRunAs: 'deploy' })
  t.match(JSON.parse(assumed?.assumeRole?.policy ?? '{}'), {
    Statement: [
      {
        Action: 'ssm:StartSession',
        Resource: [new RegExp(`instance/${shellInstance}$`), /document\/Sallyport-Shell$/],
      },
    ],
  })
  shell.type('exit\r')
  t.match(await shell.closes(), { code: 1000 })
  const { fields } = await endOf(sessionOf())
  t.match(fields, { reason: 'upstream-closed', os_user: 'deploy', document: 'Sallyport-Shell' })
  await isOver()
  const found = await company.commands.carol.run(['recordings', 'search', '42x', '--json'])
  t.match(found.stdout, sessionOf())
  const used = await company.commands.carol.run(['usage', '--aws', '--resource', shellInstance, '--json'])
  t.match(JSON.parse(used.stdout), { isWhole: true, uses: [{ match: 'session', grantId: id, sessionId: sessionOf() }] })
  await revoke(id)
})

t.test('two shells of one person, and a revocation in the middle of output', pty, async (t) => {
  const { id } = await company.grant(3_600_000, shellInstance)
  const [first, second] = [await openShell(company), await openShell(company)]
  for (const shell of [first, second]) await shell.shows(/\$ /)
  const [one, two] = ssm.sessions.slice(-2)
  first.type('yes flood\r')
  await first.shows(/flood\r\nflood/)
  await revoke(id)
  const since = performance.now()
  for (const shell of [first, second]) {
    const closed = await shell.closes()
    t.match(closed, { code: 4001, reason: 'grant-revoked', screen: /bob.*incident 42\r\n$/ })
  }
  t.ok(performance.now() - since < 1000, `${performance.now() - since} ms`)
  for (const awsSession of [one, two]) {
    const { fields } = await endOf(sessionOf(awsSession))
    t.match(fields, { reason: 'grant-revoked', unfinished: 'ended' })
    await isOver(awsSession)
  }
})

t.test(
  'the limits of an instance and of a person hold for shells and commands, and are free again with their end',
  pty,
  async (t) => {
    const { id } = await company.grant(3_600_000, shellInstance)
    await company.grant()
    const shells = [await openShell(company), await openShell(company), await openShell(company)]
    for (const shell of shells) await shell.shows(/\$ /)
    const asked = openedWith().length
    const fourth = await openShell(company)
    await fourth.closes()
    t.match(fourth.seen.messages, [{ error: { code: 'TOO_MANY_SESSIONS', message: /3 to this resource/ } }])
    const run = async () => {
      const command = await openShell(company, { command: 'true' })
      await command.closes()
      return command.seen.messages.at(-1)
    }
    t.match(await run(), { error: { code: 'TOO_MANY_SESSIONS', message: /3 to this resource/ } })
    t.equal(openedWith().length, asked, 'nothing was started for them')

    const { client } = await openDatabase(company)
    t.match(await run(), { error: { message: /4 of them are yours/ } }, 'of all kinds together')
    await client.end()
    const [first, ...others] = shells
    await first?.leave()
    await waitUntil(async () => (await run())?.exit === 0, 'there is room again')
    for (const shell of others) await shell.leave()
    await revoke(id)
  },
)

t.test('the service hangs up: the same shell goes on', pty, async (t) => {
  const { id } = await company.grant(3_600_000, shellInstance)
  const shell = await openShell(company)
  await shell.shows(/\$ /)
  ssm.gateway.session(ssm.sessions.at(-1)?.sessionId ?? '').bye()
  shell.type('echo still$((1+1))here\r')
  await shell.shows('still2here')
  await shell.leave()
  t.match((await endOf(sessionOf())).fields, { reason: 'client-closed' })
  await isOver()
  await revoke(id)
})

t.test('messages lost, doubled and late, and hung up in the middle: the same bytes', pty, async (t) => {
  const { id } = await company.grant(3_600_000, shellInstance)
  const shell = await openShell(company)
  await shell.shows(/\$ /)
  const gateway = ssm.gateway.session(ssm.sessions.at(-1)?.sessionId ?? '')
  for (const way of [gateway.up, gateway.down]) Object.assign(way, { drop: 0.3, duplicate: 0.3, reorder: 0.3 })
  const typed = randomBytes(900).toString('hex')
  shell.type(`stty -echo; PS1=\r`)
  shell.type(`x=${typed}; printf %s $x | sha256sum; seq 1 1500; echo all of$((1+1))it\r`)
  await waitUntil(() => gateway.down.counts.passed > 4, 'it is on its way', 20_000)
  gateway.bye()
  await shell.shows(/all of2it/)
  t.ok(shell.seen.screen.includes(hash('sha256', typed)), 'what was typed')
  const numbers = Array.from({ length: 1500 }, (_, i) => `${i + 1}\r\n`).join('')
  t.ok(shell.seen.screen.includes(`\r\n${numbers}all of2it`), 'what was shown')
  t.ok(gateway.up.counts.dropped > 0 && gateway.down.counts.dropped > 0, JSON.stringify([gateway.up, gateway.down]))
  t.equal(gateway.opened, 2)
  t.same(gateway.faults, [])
  await shell.leave()
  await isOver()
  await revoke(id)
})

t.test('T-2: a tab that sleeps gets no more than it shows, and others go on', pty, async (t) => {
  const { id } = await company.grant(3_600_000, shellInstance)
  const [asleep, awake] = [await openShell(company, { acks: false }), await openShell(company)]
  for (const shell of [asleep, awake]) await shell.shows(/\$ /)
  asleep.type('yes asleep\r')
  await waitUntil(() => asleep.seen.bytes >= 256 * 1024, 'it is full', 20_000)
  awake.type('seq 1 5000; echo its end\r')
  await awake.shows(/5000\r\nits end/)
  t.ok(asleep.seen.bytes < 300 * 1024, `${asleep.seen.bytes} bytes to a tab that shows nothing`)
  asleep.ack()
  await waitUntil(() => asleep.seen.bytes > 300 * 1024, 'it goes on once it is awake', 20_000)
  await asleep.leave()
  await awake.leave()
  await revoke(id)
})

const isLong = process.env.SALLYPORT_CLIENTS !== 'true' && 'takes long: with SALLYPORT_CLIENTS=true'
t.test('of 100 MB of output nothing stays in memory', { skip: noPty || isLong }, async (t) => {
  const { id } = await company.grant(3_600_000, shellInstance)
  const web = world.instances.find((one) => one.id === shellInstance)
  if (web) web.pauseMs = 0
  const shell = await openShell(company)
  await shell.shows(/\$ /)
  const flood = async (megabytes: number) => {
    const before = shell.seen.bytes
    shell.type(`head -c ${megabytes}000000 /dev/zero | tr "\\0" x\r`)
    await waitUntil(() => shell.seen.bytes - before > megabytes * 1e6, 'all of it is shown', 120_000, 50)
  }
  await flood(10)
  const before = residentMegabytes(company.daemon.pid)
  await flood(100)
  const grown = residentMegabytes(company.daemon.pid) - before
  t.comment(`100 MB of output: ${grown.toFixed(1)} MB more in memory`)
  t.ok(grown < 64, `${grown} MB`)
  await shell.leave()
  if (web) web.pauseMs = 1
  await revoke(id)
})

t.test('an instance that is gone, also when another has its name, and a document that was changed', pty, async (t) => {
  const { id } = await company.grant(3_600_000, shellInstance)
  const web = world.instances.find((one) => one.id === shellInstance)
  if (!web) throw new Error('there is no instance for shells')
  const before = ssm.sessions.length
  web.isOnline = false
  world.instances.push({ ...web, id: 'i-0a1b2c3d4e5f60719', isOnline: true }) // what took its place, by the same name
  const offline = await openShell(company)
  await offline.closes()
  t.match(offline.seen.messages.at(-1), { error: { code: 'TARGET_UNREACHABLE', message: /not connected/ } })
  world.instances.pop()
  web.isOnline = true

  const { versions } = document()
  const [good] = versions
  const asked = openedWith().length
  versions.push({ sessionType: 'Standard_Stream', schemaVersion: '1.0', inputs: { runAsEnabled: false } })
  const changed = await openShell(company)
  await changed.closes()
  t.match(changed.seen.messages.at(-1), { error: { code: 'TARGET_UNTRUSTED', message: /its digest is [0-9a-f]{64}/ } })
  t.equal(openedWith().length, asked, 'no session was started')
  t.equal(ssm.sessions.length, before)
  versions.splice(0, versions.length, ...(good ? [good] : []))
  await revoke(id)
})

t.test('aws validate and aws prepare: what would be missing, each with its fix', async (t) => {
  const web = world.instances.find((one) => one.id === shellInstance)
  if (!web) throw new Error('there is no instance for shells')
  const look = async () =>
    await company.api<{
      ok: boolean
      checks: { check: string; outcome: string; detail: string; fix: string | null }[]
    }>('dave', 'POST', '/api/v1/aws/preflight', { resource: shellInstance, level: 'readonly' })
  const problems = async () => (await look()).checks.filter(({ outcome }) => outcome !== 'ok')
  const before = ssm.sessions.length
  const good = await look()
  t.match(good, { ok: true })
  t.same(
    good.checks.map(({ check, outcome }) => `${outcome} ${check}`),
    ['ok AWS', `ok instance ${shellInstance}`, 'ok document Sallyport-Shell', 'ok document Sallyport-Command'],
  )
  t.equal(ssm.sessions.length, before, 'no session is started')
  web.isOnline = false
  t.match(await problems(), [{ outcome: 'fail', detail: /not connected/, fix: /\S/ }])
  Object.assign(web, { isOnline: true, agentVersion: '3.1.1374.0' })
  t.match(await problems(), [{ outcome: 'warn', detail: /3\.1\.1374\.0 is too old for exit codes/, fix: /3\.1\.1511/ }])
  web.agentVersion = '3.3.987.0'
  const { versions } = document()
  const kept = [...versions]
  versions.splice(0)
  t.match(await problems(), [{ check: 'document Sallyport-Shell', outcome: 'fail', fix: /\S/ }])
  versions.push(...kept)
  const prepared = await company.commands.dave.run(['aws', 'prepare', shellInstance])
  t.match(prepared, { code: 0, stdout: /Sallyport-Shell.json[\s\S]*NonInteractiveCommands[\s\S]*useradd/ })
})

t.test('a shell that a key of KMS encrypts, and one whose document names another', pty, async (t) => {
  const { id } = await company.grant(3_600_000, shellInstance, 'sealed')
  const shell = await openShell(company, { level: 'sealed' })
  await shell.shows(/\$ /)
  shell.type('echo $((6*7))sealed\r')
  await shell.shows('42sealed')
  const awsSession = ssm.sessions.at(-1)
  const made = company.sandbox.aws.calls.findLast(({ action }) => action === 'GenerateDataKey')
  t.match(made, { outcome: 'ok', parameters: { KeyId: shellKey } })
  t.match(JSON.parse(made?.parameters.EncryptionContext ?? '{}'), {
    'aws:ssm:SessionId': awsSession?.sessionId,
    'aws:ssm:TargetId': shellInstance,
    'aws:ssm:RandomChallenge': /\S/,
  })
  await shell.leave()
  t.same(ssm.gateway.session(awsSession?.sessionId ?? '').faults, [])
  company.sandbox.aws.faults.deny('kms:GenerateDataKey')
  const denied = await openShell(company, { level: 'sealed' })
  await denied.closes()
  t.match(denied.seen.messages.at(-1), { error: { code: 'AWS_DENIED', message: /kms:GenerateDataKey/ } })
  company.sandbox.aws.faults.clear()
  await revoke(id)
})

t.test('what is typed is on record where the level says so', pty, async (t) => {
  const { id } = await company.grant(3_600_000, shellInstance, 'watched')
  const shell = await openShell(company, { level: 'watched' })
  await shell.shows(/\$ /)
  t.match(shell.seen.messages, [{ notice: /everything that you type/ }])
  shell.type('stty -echo; read secret\r')
  await shell.shows('read secret')
  shell.type('swordfish\r')
  await shell.shows(/\$ $/)
  await shell.leave()
  await endOf(sessionOf())
  const text = await (await company.call('carol', 'GET', `/api/v1/recordings/${sessionOf()}`)).text()
  t.match(text, /"type":"input","text":"swordfish/)
  await revoke(id)
})

t.test('sallyport shell: with a terminal, and without one', pty, async (t) => {
  const { id } = await company.grant(3_600_000, shellInstance)
  const { env } = company.commands.alice
  const command = [process.execPath, program, 'shell', shellInstance]
  const typed = startCommand('python3', ['-c', underPty, ...command], env, null)
  const type = (text: string) => typed.child.stdin?.write(text)
  await typed.prints(/\$ /)
  const session = sessionOf()
  const cut = startCommand('python3', ['-c', underPty, ...command], env, null)
  const ran = startCommand(command[0] ?? '', command.slice(1), env, 'echo $((6*7))x\n').ended
  type('cat\r')
  await typed.prints(/cat\r+\n/)
  type('\u0003')
  await typed.prints(/\^C\s*\$ /)
  type('echo one$((1+1))three\r')
  await typed.prints(/one2three/)
  type('\r~.')
  t.equal((await typed.ended).code, 0)
  t.match((await endOf(session)).fields, { reason: 'client-closed' })
  t.match(await ran, { code: 0, stdout: /42x/, stderr: 'sallyport: this session is recorded\n' })
  await cut.prints(/\$ /)
  await revoke(id)
  t.match(await cut.ended, { code: 4, stdout: /bob.*incident 42/ })
  const { run } = company.commands.carol
  const [denied, played, from, exported] = await Promise.all([
    company.commands.alice.run(['shell', shellInstance]),
    run(['recordings', 'play', session]),
    run(['recordings', 'play', session, '--from', '1h']),
    run(['recordings', 'export', session, '--cast']),
  ])
  t.match(denied, { code: 4, stderr: /access was not granted/ })
  t.match(played, { code: 0, stdout: /recording verified/ })
  t.match(played.stdout, /\[this session is recorded\]/)
  t.match(played.stdout, /one2three/)
  t.match(from, { code: 0, stdout: /one2three/ }, 'what came before is on the screen')
  const download = await company.call('carol', 'GET', `/api/v1/recordings/${session}/cast`)
  t.equal(download.headers.get('content-type'), 'application/x-asciicast')
  t.equal(download.headers.get('content-disposition'), `attachment; filename="${session}.cast"`)
  t.equal(download.headers.get('recording-verified'), 'true')
  t.match(await download.text(), /^\{"version":2,/)
  const castOf = (who: AccountName, range: string) =>
    company.call(who, 'GET', `/api/v1/recordings/${session}/cast?${range}`)
  t.match(await (await castOf('carol', 'from=3600')).text(), /^\{"version":2,.*\}\n$/, 'nothing is left of it')
  t.match(await (await castOf('carol', 'from=0&to=3600')).text(), /one2three/)
  t.match(await (await castOf('carol', 'from=2&to=2')).text(), /INVALID_INPUT/)
  t.equal((await castOf('alice', '')).status, 403)
  const [header = '', ...events] = exported.stdout.trim().split('\n')
  t.match(JSON.parse(header), { version: 2, width: 80, height: 24, title: /^alice@example.com on ec2-instance/ })
  const shown = events.map((line) => JSON.parse(line) as [number, string, string]).filter(([, code]) => code === 'o')
  t.match(shown.map(([, , text]) => text).join(''), /one2three/)
})

t.test('sallyport shell: a lost connection, and the same shell goes on', pty, async (t) => {
  const { id } = await company.grant(3_600_000, shellInstance)
  const proxy = await startTcpProxy(Number(new URL(company.daemon.url).port))
  t.teardown(() => proxy.close())
  const { env } = company.commands.alice
  const { login } = await currentLogin({ server: company.daemon.url }, env)
  const through = { SALLYPORT_SERVER: `http://127.0.0.1:${proxy.port}`, SALLYPORT_TOKEN: login?.token }
  const command = ['-c', underPty, process.execPath, program, 'shell', shellInstance]
  const shell = startCommand('python3', command, { ...env, ...through }, null)
  const type = (text: string) => shell.child.stdin?.write(text)
  await shell.prints(/\$ /)
  const awsSession = ssm.sessions.at(-1)
  type('mine=kept; sleep 1; echo missed$((1+1))\r')
  await shell.prints(/sleep 1/)
  proxy.refuse()
  await shell.prints(/the connection was lost; trying for 60 s/)
  type('never\r')
  proxy.pass()
  await shell.prints(/the session goes on\r/)
  await shell.prints(/\nmissed2/)
  type('echo $mine$((1+1))\r')
  await shell.prints(/\nkept2/)
  t.notMatch(shell.output, /never/)
  t.equal(ssm.sessions.at(-1), awsSession, 'no other session was started')
  const session = sessionOf(awsSession)
  const path = `/api/v1/audit/events?type=session.resumed&subject=${session}`
  t.match(await company.api('carol', 'GET', path), { events: [{ actor: /^prn_/, fields: { session, grant: id } }] })

  proxy.refuse()
  await shell.prints(/the connection was lost[\s\S]*the connection was lost/)
  await revoke(id)
  t.match((await endOf(session)).fields, { reason: 'grant-revoked' })
  proxy.pass()
  t.match(await shell.ended, {
    code: 4,
    stdout: /the session cannot be resumed: access was revoked by bob.*incident 42/,
  })
  const text = await (await company.call('carol', 'GET', `/api/v1/recordings/${session}`)).text()
  t.match(text, /connection to the client was lost[\s\S]*the client is back after/)
  await isOver(awsSession)
})

t.test('sallyport shell RESOURCE -- COMMAND: outputs, exit code and pipeline, and a cut', async (t) => {
  const { id } = await company.grant(3_600_000, shellInstance)
  const { env, run } = company.commands.alice
  const out = await run([
    'shell',
    shellInstance,
    '--',
    'sh',
    '-c',
    'echo "$1"; echo err >&2; exit 3',
    'sh',
    "it's  $HOME",
  ])
  t.match(out, { code: 3, stdout: "it's  $HOME\n", stderr: 'sallyport: this session is recorded\nerr\n' })
  const awsSession = ssm.sessions.at(-1)
  t.match(awsSession, { document: 'Sallyport-Command', parameters: { command: /^sh -c 'echo "\$1"/ } })
  const session = sessionOf(awsSession)
  t.match((await endOf(session)).fields, {
    reason: 'upstream-closed',
    document: 'Sallyport-Command',
    os_user: 'deploy',
  })
  const shellOf = (...more: string[]) => [program, 'shell', shellInstance, ...more]
  const cut = startCommand(process.execPath, shellOf('--', 'sh', '-c', 'echo begun; sleep 60'), env)
  const pipeline = '"$0" "$1" shell "$2" -- cat /etc/hosts | wc -l'
  const [played, counted, fed, denied] = await Promise.all([
    company.commands.carol.run(['recordings', 'play', session]),
    startCommand('sh', ['-c', pipeline, process.execPath, program, shellInstance], env).ended,
    startCommand(process.execPath, shellOf('--', 'cat'), env, 'data').ended,
    startCommand(process.execPath, shellOf('--level', 'watched', '--', 'id'), env).ended,
  ])
  t.match(played.stdout, /recording verified[\s\S]*\[sh -c [\s\S]*it's {2}\$HOME\r?\n[\s\S]*\[exit code 3\]/)
  t.equal(Number(counted.stdout), readFileSync('/etc/hosts', 'utf8').split('\n').length - 1)
  t.match(fed, { code: 1, stdout: '', stderr: /commands no input/ })
  t.match(denied, { code: 4 })
  await cut.prints(/begun/)
  await revoke(id)
  t.match(await cut.ended, { code: 4, stdout: 'begun\n', stderr: /bob.*incident 42/ })
})

t.test('a shell is watched: announced, read-only, and no longer than one may', pty, async (t) => {
  const { id } = await company.grant(3_600_000, shellInstance)
  const shell = await openShell(company)
  await shell.shows(/\$ /)
  const session = sessionOf()
  const watch = (who: AccountName, acks = true) =>
    openWatch({ door: company, who, session, url: company.daemon.url, acks })
  shell.type('echo before$((1+1))\r')
  await shell.shows('before2\r\n')
  for (const who of ['alice', 'dave'] as const) {
    const refused = await watch(who)
    await refused.closes()
    t.match(refused.seen, { bytes: 0, messages: [{ error: { code: 'ROLE_REQUIRED' } }] }, who)
  }
  t.notMatch(JSON.stringify(shell.seen.messages), /watches/)

  const [bob, carol] = [await watch('bob'), await watch('carol')]
  await shell.hears('bob@example.com watches this session')
  await bob.shows('before2')
  shell.type('echo after$((1+1))\r')
  for (const one of [bob, carol]) await one.shows('after2')
  shell.resize(120, 40)
  await carol.hears('{"resize":{"cols":120,"rows":40}}')
  bob.type('rm -rf /\r')
  await bob.closes()
  t.match(bob.seen.messages.at(-1), { error: { code: 'PROTOCOL_ERROR' } })
  await shell.hears('bob@example.com no longer watches this session')
  t.notMatch(shell.seen.screen, /rm -rf/)

  const lazy = await watch('carol', false)
  shell.type('yes 0123456789012345678901234567890123456789 | head -c 600000; echo; echo its end\r')
  await shell.shows(/\nits end/)
  t.ok(lazy.seen.bytes <= 256 * 1024 + 64 * 1024, `${lazy.seen.bytes} bytes to one who shows nothing`)
  await carol.shows(/\nits end/)
  lazy.ack()
  await lazy.hears('skipped')
  await company.commands.dave.run(['lock', 'carol@example.com', '--reason', 'left'])
  for (const one of [carol, lazy]) {
    await one.closes()
    t.match(one.seen.messages.at(-1), { error: { code: 'LOGIN_REQUIRED', message: /left/ } })
  }
  await shell.hears('carol@example.com no longer watches this session')
  await company.commands.dave.run(['unlock', 'carol@example.com'])
  await company.signIn(['carol'])

  const typed = startCommand(process.execPath, [program, 'recordings', 'watch', session], company.commands.carol.env)
  await typed.prints(/its end/)
  shell.type('printf "\\033]0;title\\007\\033[31mred"\r')
  await typed.prints(/\[31mred/)
  await revoke(id)
  const ran = await typed.ended
  t.match(ran, { code: 0, stdout: /\[.*bob.*incident 42\]/ })
  t.notOk(ran.stdout.includes('\u001b]'), 'no title')
  const over = await company.commands.carol.run(['recordings', 'watch', session])
  t.match(over, { code: 1, stderr: /is over/ })
  const { events } = await company.api<{ events: { type: string; actor: string }[] }>(
    'carol',
    'GET',
    `/api/v1/audit/events?type=recording.watched&type=recording.watch-ended&subject=${session}`,
  )
  t.same(events.map(({ type }) => type).sort(), [
    ...Array(4).fill('recording.watch-ended'),
    ...Array(4).fill('recording.watched'),
  ])
})
t.test('100 MB of files by tar through a pipeline', { skip: isLong }, async (t) => {
  const { id } = await company.grant(3_600_000, shellInstance)
  const web = world.instances.find((one) => one.id === shellInstance)
  if (!web) throw new Error('there is no instance for shells')
  web.pauseMs = 0
  const dir = t.testdir({ from: {}, to: {} })
  const names = ['1', '2', '3', '4']
  for (const name of names) writeFileSync(`${dir}/from/${name}`, randomBytes(25_000_000))
  const pipeline = `"$0" "$1" shell "$2" -- sh -c 'tar c -C "$1" . | base64' sh "$3/from" | base64 -d | tar x -C "$3/to"`
  const args = ['-c', pipeline, process.execPath, program, shellInstance, dir]
  const { stderr } = await startCommand('sh', args, company.commands.alice.env).ended
  const sumsOf = (side: string) => names.map((name) => hash('sha256', readFileSync(`${dir}/${side}/${name}`)))
  t.same(sumsOf('to'), sumsOf('from'), stderr)
  web.pauseMs = 1
  await revoke(id)
})

t.test('another origin, and no sign-in', pty, async (t) => {
  await t.rejects(openShell(company, { origin: 'https://evil.example' }), /403/)
  await t.rejects(openShell(company, { cookie: '' }), /401/)
})

/** Fronts end them when control is gone, so that nothing is left for the next daemon. */
const leaves = Number(process.env.SALLYPORT_TEST_WORKERS ?? 0) === 0 ? pty : { skip: 'fronts end their shells' }
t.test('a daemon that was killed: the next one ends its shells', leaves, async (t) => {
  await company.grant(3_600_000, shellInstance)
  const shell = await openShell(company)
  await shell.shows(/\$ /)
  const awsSession = ssm.sessions.at(-1)
  company.daemon.signal('SIGKILL')
  await company.daemon.exited
  await shell.closes()
  t.ok(ssm.isActive(awsSession?.sessionId ?? ''), 'it goes on at AWS')
  company.daemon = await startDaemon(company.sandbox, { files: company.daemon, readyWithinMs: 60_000 })
  await isOver(awsSession)
  t.match(awsSession, { isTerminated: true })
  t.match((await endOf(sessionOf(awsSession))).fields, { reason: 'daemon-lost' })
  const path = `/api/v1/audit/events?type=session.work-ended&subject=${sessionOf(awsSession)}`
  await waitUntil(
    async () => (await company.api<{ events: unknown[] }>('carol', 'GET', path)).events.length === 1,
    'it is in the log',
  )
})
