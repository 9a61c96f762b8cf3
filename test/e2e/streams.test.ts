/** SSH and forwarded ports through the real daemon to a real sshd and a web server, behind the sandbox's Session Manager. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import t from 'tap'
import { sshDocument } from '../../src/kinds/ec2-instance/ssh-document.ts'
import { sshDocumentName } from '../../src/kinds/ec2-instance/ssh-level.ts'
import { type Running, startCommand } from '../sandbox/commands.ts'
import { startDaemon } from '../sandbox/daemon.ts'
import { accounts, region, shellInstance } from '../sandbox/default-world.ts'
import { skipWithoutSshd, startSshd } from '../sandbox/ssm/sshd.ts'
import { waitFor, waitUntil } from '../wait-until.ts'
import { startCompany } from './company.ts'

t.setTimeout(480_000)

const withSsh = { skip: skipWithoutSshd() }
const isLong = process.env.SALLYPORT_CLIENTS === 'true'
const megabytes = isLong ? 100 : 0.3

const company = await startCompany({ sandbox: { shells: true } })
t.teardown(() => company.close())
const { ssm, world } = company.sandbox.aws
const instance = world.instances.find(({ id }) => id === shellInstance)
if (!instance) throw new Error('there is no instance')
const { env } = company.commands.alice
const files = path.join(company.sandbox.dir, 'files')
mkdirSync(files)

const revoke = (id: string) => company.api('bob', 'POST', `/api/v1/grants/${id}/revoke`, { reason: 'incident 42' })
const eventsOf = async (type: string) =>
  (await company.api<{ events: Event[] }>('carol', 'GET', `/api/v1/audit/events?type=${type}`)).events
interface Event {
  readonly fields: Readonly<Record<string, unknown>>
  readonly text?: Readonly<Record<string, unknown>>
}
const ending = (matches: (fields: Event['fields']) => boolean) =>
  waitFor(
    async () => (await eventsOf('session.ended')).find(({ fields }) => matches(fields))?.fields,
    () => `it is in the log\n${company.daemon.log()}`,
    20_000,
  )
const recordingOf = async (session: unknown) =>
  await (await company.call('carol', 'GET', `/api/v1/recordings/${session}`)).text()
const active = () => ssm.sessions.filter(({ sessionId }) => ssm.isActive(sessionId))

t.test('forward: many connections to a web server behind the instance', async (t) => {
  const body = randomBytes(20_000).toString('hex')
  const server = createServer((request, response) => void response.end(`${request.url} ${body}`))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  instance.reaches['web.internal:80'] = { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
  const { id } = await company.grant(3_600_000, shellInstance, 'ports')
  const forward = company.commands.alice.start(['forward', shellInstance, 'web.internal:80'])
  const url = await urlOf(forward)
  const answers = await Promise.all(
    Array.from({ length: 6 }, async (_, i) =>
      (await fetch(`${url}/${i}`, { headers: { connection: 'close' } })).text(),
    ),
  )
  t.same(
    answers,
    answers.map((_, i) => `/${i} ${body}`),
  )
  const tunnels = active()
  t.ok(tunnels.length > 1 && tunnels.length <= 6, `several tunnels: ${tunnels.length}`)
  for (const tunnel of tunnels)
    t.match(
      tunnel,
      {
        document: 'Sallyport-PortForward',
        owner: `arn:aws:sts::${accounts.data}:assumed-role/SallyportShells/sp-alice@example.com`,
        parameters: { host: 'web.internal', portNumber: '80' },
      },
      'in the name of the person',
    )
  const fields = await ending(({ forward }) => forward === 'web.internal:80')
  t.match(fields, { reason: /^(client|upstream)-closed$/, bytes_down: Number })
  const recording = await recordingOf(fields.session)
  t.match(recording, /"type":"stream","forward":"web.internal:80","content":"cannot be read/)
  t.notMatch(recording, new RegExp(body.slice(0, 40)))

  const stalled = await fetch(`${url}/keep`)
  await stalled.text()
  const revokedAt = Date.now()
  await revoke(id)
  const ended = await forward.ended
  t.match(ended, { code: 4, stderr: /incident 42/ })
  t.ok(ended.endedAt - revokedAt < 30_000, 'what has ended before does not hold it')
  await waitUntil(() => active().length === 0, 'the tunnel ends with the grant', 20_000)
})

t.test('forward: where a level does not lead, and what the session document refuses', async (t) => {
  const { id } = await company.grant(3_600_000, shellInstance, 'ports')
  const before = ssm.sessions.length
  const refused = [
    ['db.internal:5432', /does not forward to that host and port[\s\S]*localhost:8080, web\.internal:80/],
    ['[::ffff:a9fe:a9fe]:80', /metadata services are never reached/],
  ] as const
  const unlisted = company.commands.alice.start(['forward', shellInstance, 'other.internal:80'])
  await Promise.all(
    refused.map(async ([to, why]) => {
      const forward = company.commands.alice.start(['forward', shellInstance, to])
      await fetch(await urlOf(forward)).catch(() => {})
      t.match(await forward.ended, { code: 4, stderr: why }, to)
    }),
  )
  t.match(await eventsOf('session.denied'), [{ fields: { code: 'GRANT_DENIED' } }])

  await fetch(await urlOf(unlisted)).catch(() => {})
  await unlisted.prints(/a connection failed/)
  unlisted.child.kill('SIGTERM')
  t.equal((await unlisted.ended).code, 0)
  t.equal(ssm.sessions.length, before, 'nothing was asked of AWS for two, and it refused the third by the pattern')
  await revoke(id)
  t.match(await company.commands.alice.run(['forward', shellInstance, 'web.internal:80']), {
    code: 4,
    stderr: /access was not granted/,
  })
})

t.test('ssh, scp, sftp and rsync', withSsh, async (t) => {
  const sshd = await startSshd()
  t.teardown(() => sshd.close())
  const { user } = sshd
  instance.root = sshd.root
  instance.reaches['localhost:22'] = { host: '127.0.0.1', port: sshd.port }
  const document = {
    name: sshDocumentName(user),
    account: accounts.data,
    region,
    versions: [sshDocument(user) as never],
  }
  world.sessionDocuments.push(document)
  const config = await company.commands.alice.run(['ssh-config'])
  t.match(config, { code: 0, stdout: /^Include "(.*)"\n$/ })
  const configFile = /"(.*)"/.exec(config.stdout)?.[1] ?? ''
  const ssh = (...args: string[]) => startCommand('ssh', ['-F', configFile, ...args], env)
  const host = `${user}@${shellInstance}`
  const sum = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex')
  const local = path.join(files, 'local')
  writeFileSync(local, randomBytes(Math.round(megabytes * 1024 * 1024)))
  const small = path.join(files, 'small') // agents send a KiB and pause
  writeFileSync(small, randomBytes(100_000))
  const remote = (name: string) => path.join(sshd.home, name)
  const keyIsGone = () => waitUntil(() => !sshd.authorizedKeys().includes('sallyport'), 'its key is removed', 20_000)

  await t.test('a level without it', async (t) => {
    const { id } = await company.grant(3_600_000, shellInstance)
    t.match(await ssh(host, 'true').ended, { code: 255, stderr: /this access level allows no SSH/ })
    await revoke(id)
  })

  await t.test('restricted', async (t) => {
    const { id } = await company.grant(3_600_000, shellInstance, 'ssh')
    const ran = await ssh(host, `echo $((6*7)); cat ${remote('.ssh/authorized_keys')}; exit 3`).ended
    t.match(ran, {
      code: 3,
      stdout: /^42\nrestrict,pty,expiry-time="[0-9]{14}" ssh-ed25519 [A-Za-z0-9+/]{68} sallyport-ses_/,
    })
    const fields = await ending(({ ssh }) => ssh === 'restricted')
    t.match(fields, { os_user: user, reason: /closed$/ })
    const recording = await recordingOf(fields.session)
    t.match(recording, /"type":"stream","ssh":"restricted"/)
    t.match(recording, /"type":"output","text":"sallyport host ssh-ed25519/)
    t.notMatch(recording, /"42/)
    await keyIsGone()

    const down = path.join(files, 'down')
    const copies = [
      ['scp', ['-F', configFile, local, `${host}:${remote('up')}`]],
      ['rsync', ['-a', '-e', `ssh -F ${configFile}`, local, `${host}:${remote('synced')}`]],
      ['sftp', ['-F', configFile, '-b', '-', host], `put ${local} ${remote('put')}\nget ${small} ${down}\n`],
    ] as const
    const forwarding = ssh('-W', `127.0.0.1:${sshd.port}`, host).ended
    await Promise.all(
      copies.map(async ([name, args, input]) => {
        const copied = await startCommand(name, args, env, input).ended
        t.equal(copied.code, 0, `${name} ${copied.stderr}`)
      }),
    )
    for (const file of [remote('up'), remote('synced'), remote('put')]) t.equal(sum(file), sum(local), file)
    t.equal(sum(down), sum(small))

    t.match(await forwarding, { code: 255, stderr: /administratively prohibited/ }, 'its server forwards nothing')
    await keyIsGone()
    await revoke(id)
  })

  await t.test('full; another user; revoked in the middle', async (t) => {
    const { id } = await company.grant(3_600_000, shellInstance, 'ssh-full')
    const inside = startCommand('ssh', ['-F', configFile, '-W', `127.0.0.1:${sshd.port}`, host], env, null)
    const running = ssh(host, 'echo begun; sleep 60')
    const other = ssh(`nobody@${shellInstance}`, 'true').ended
    await inside.prints(/^SSH-2\.0-OpenSSH/m)
    inside.child.kill('SIGTERM')
    await inside.ended
    t.match(await other, {
      code: 255,
      stderr: new RegExp(`signs in as ${user}, not as nobody[\\s\\S]*use: ssh ${host}`),
    })
    await running.prints(/begun/)
    const since = performance.now()
    await revoke(id)
    const ended = await running.ended
    t.match(ended, { code: 255, stderr: /access was revoked by bob.*incident 42/ })
    t.ok(performance.now() - since < 1000, `${performance.now() - since} ms`)
    t.match(await ending(({ reason, ssh }) => reason === 'grant-revoked' && ssh === 'full'), { os_user: user })
    await keyIsGone()
    await waitUntil(() => active().length === 0, 'nothing is left at AWS', 20_000)
  })

  const takesLong = { skip: !isLong && 'takes a minute: in .ci/long' }
  await t.test('a daemon that was killed: nothing is left at AWS, and the key is removed', takesLong, async (t) => {
    const { id } = await company.grant(3_600_000, shellInstance, 'ssh')
    const running = ssh(host, 'echo begun; sleep 600')
    await running.prints(/begun/)
    t.match(sshd.authorizedKeys(), /^restrict,pty,expiry-time=.* sallyport-ses_/m)
    company.daemon.signal('SIGKILL')
    await company.daemon.exited
    t.equal((await running.ended).code, 255)
    const left = active().map(({ document }) => document)
    t.same(left.sort(), ['Sallyport-PortForward', sshDocumentName(user)], 'they go on at AWS')
    company.daemon = await startDaemon(company.sandbox, { files: company.daemon, readyWithinMs: 60_000 })
    await waitUntil(() => active().length === 0, 'nothing is left at AWS', 120_000)
    t.notMatch(sshd.authorizedKeys(), /sallyport/)
    await revoke(id)
  })

  await t.test('an old server, a document that was changed', async (t) => {
    const { id } = await company.grant(3_600_000, shellInstance, 'ssh')
    sshd.pretend('OpenSSH_7.4p1, OpenSSL 1.0.2k-fips')
    t.match(await ssh(host, 'true').ended, { code: 255, stderr: /OpenSSH 7\.4 knows no keys that expire/ })
    t.notMatch(sshd.authorizedKeys(), /sallyport/)
    document.versions.push({ ...(sshDocument(user) as object), description: 'other' } as never)
    const before = ssm.sessions.length
    t.match(await ssh(host, 'true').ended, { code: 255, stderr: /session document Sallyport-Ssh-\S+ is another one/ })
    t.equal(ssm.sessions.length, before, 'no session was started')
    await revoke(id)
  })
})

t.test('a daemon that was killed: the next one ends the tunnels of its streams, and the rows are closed', async (t) => {
  const server = createServer((_request, response) => void response.write('begun'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  instance.reaches['web.internal:80'] = { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
  await company.grant(3_600_000, shellInstance, 'ports')
  const forward = company.commands.alice.start(['forward', shellInstance, 'web.internal:80'])
  const url = await urlOf(forward)
  const answers = await Promise.all([fetch(url), fetch(url)])
  const left = answers.map((answer) => answer.text().catch(() => 'lost'))
  const sessions = async () => {
    const path = `/api/v1/sessions?mine=true&resource=${shellInstance}`
    const found = await company.api<{ sessions: { id: string; endedAt: number | null }[] }>('alice', 'GET', path)
    return found.sessions.filter(({ endedAt }) => endedAt === null)
  }
  await waitUntil(async () => (await sessions()).length === 2, 'both have opened', 20_000)
  const ids = (await sessions()).map(({ id }) => id)
  const tunnels = () => active().filter(({ parameters }) => parameters.host === 'web.internal')
  t.equal(tunnels().length, 2)
  company.daemon.signal('SIGKILL')
  await company.daemon.exited
  t.same(await Promise.all(left), ['lost', 'lost'])
  t.equal(tunnels().length, 2, 'they go on at AWS')
  company.daemon = await startDaemon(company.sandbox, { files: company.daemon, readyWithinMs: 60_000 })
  await waitUntil(() => tunnels().length === 0, 'they are ended', 20_000)
  t.same(await sessions(), [])
  for (const id of ids) t.match(await recordingOf(id), /"type":"stream","forward":"web.internal:80"/)
  t.match(await company.api('carol', 'GET', '/api/v1/audit/verify'), { ok: true }, 'with the recordings')
  forward.child.kill('SIGTERM')
})

async function urlOf(forward: Running): Promise<string> {
  const [, port] = await forward.prints(/127\.0\.0\.1:([0-9]+) leads to/)
  return `http://127.0.0.1:${port}`
}
