/** What goes wrong on streams to a cluster, by real kubectl: it never looks like success, others go on, and it is on record. */
import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import type { Running } from '../sandbox/commands.ts'
import { clusterId } from '../sandbox/daemon-files.ts'
import { skipWithoutKubectl } from '../sandbox/programs.ts'
import { noPty, spawnPty } from '../sandbox/pty.ts'
import { waitUntil } from '../wait-until.ts'
import { askCluster, issueClusterToken } from './cluster-client.ts'
import { kubectlOf } from './cluster-kubectl.ts'
import { type Company, startCompany } from './company.ts'

t.setTimeout(180_000)

const bySpdy = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' }
const ways: Readonly<Record<string, NodeJS.ProcessEnv>> = { webSocket: {}, spdy: bySpdy }

/** Recorded of the newest session whose first entry has this command. */
async function recorded(company: Company, command: string): Promise<readonly Record<string, unknown>[]> {
  const { items } = await company.api<{ items: { id: string }[] }>('carol', 'GET', '/api/v1/recordings?limit=50')
  for (const { id } of items) {
    const text = await (await company.call('carol', 'GET', `/api/v1/recordings/${id}`)).text()
    const [, ...entries] = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    if ((entries[0]?.argv as string[] | undefined)?.join(' ') === command) return entries
  }
  return []
}

t.test('streams that go wrong', { skip: skipWithoutKubectl() }, async (t) => {
  const company = await startCompany({ sandbox: { cluster: true } })
  t.teardown(() => company.close())
  const { cluster } = company.sandbox
  if (!cluster) throw new Error('there is no cluster')
  const { id: grantId } = await company.grant(3_600_000, clusterId, 'operate')
  const token = await issueClusterToken(company)
  const kubectl = await kubectlOf(t, company, 'operate', '--token')
  const halves: Running[] = []
  const lastOf = (way: string) => cluster.streams.findLast(({ transport }) => transport === way)

  for (const [way, env] of Object.entries(ways)) {
    const exec = (...args: string[]) => kubectl.start(['exec', ...args], env)
    await t.test(`trap 1: by ${way}, a cluster that is lost is a failure`, async (t) => {
      const words = {
        cut: /closed the connection/,
        reset: /closed the connection/,
        overlong: /violated|unexpected EOF/,
      }
      for (const [ending, said] of Object.entries(words)) {
        cluster.faults.ending = ending as keyof typeof words
        const command = ['sh', '-c', `echo ${ending} by ${way}`]
        const ran = await exec('web-1', '--', ...command).ended
        t.match(ran, { code: 1, stdout: `${ending} by ${way}\n`, stderr: said }, ending)
        const entries = await recorded(company, command.join(' '))
        t.match(entries.at(-1), { type: 'end' })
        t.notOk('exitCode' in (entries.at(-1) ?? {}), 'no exit code is on record')
      }
      cluster.faults.ending = 'status'
    })

    await t.test(`K-2: by ${way}, the end of the input goes on, and all output comes behind it`, async (t) => {
      const script = 'cat; for i in 1 2 3; do head -c 200000 /dev/zero; done; echo end >&2'
      const ran = await kubectl.start(['exec', '-i', 'web-1', '--', 'sh', '-c', script], env, 'hi\n').ended
      t.match({ code: ran.code, stderr: ran.stderr }, { code: 0, stderr: 'end\n' })
      t.equal(ran.stdout.length, 600_003)
      t.match(lastOf(way), { inputBytes: 3, hasInputEnded: true, violation: null })
    })

    await t.test(`teleport 12292, 12551: by ${way}, each combination of streams`, { skip: noPty }, async (t) => {
      const script = 'test -t 0 && echo terminal; echo out; echo err >&2; exit 4'
      for (const options of [[], ['-i'], ['-i', '-t']]) {
        const shown = options.join(' ')
        const args = ['kubectl', 'exec', ...options, 'web-1', '--', 'sh', '-c', script]
        const { child, stdout } = spawnPty(args, { env: { ...kubectl.env, ...env } })
        let screen = ''
        stdout.on('data', (chunk: Buffer) => {
          screen += chunk
        })
        t.equal(await new Promise((resolve) => child.once('close', resolve)), 4, shown)
        for (const line of [/^out\r$/m, /^err\r$/m]) t.match(screen, line, shown)
        t.equal(/^terminal\r$/m.test(screen), options.includes('-t'), shown)
        t.match(lastOf(way), { tty: options.includes('-t'), exitCode: 4, violation: null })
      }
    })

    await t.test(`K-6: by ${way}, one client of a forwarded port is killed, and the next is served`, async (t) => {
      cluster.pod('web-1').ports.set(8080, await serveFlood(t))
      const forward = kubectl.start(['port-forward', 'web-1', ':8080'], env)
      const [, port] = await forward.prints(/127\.0\.0\.1:(\d+) -> 8080/)
      const url = `http://127.0.0.1:${port}`
      const curl = spawn('curl', ['--silent', '--limit-rate', '1M', '--output', '/dev/null', `${url}/flood`])
      await waitUntil(() => lastOf(way === 'spdy' ? 'spdy' : 'tunnel')?.ports.length === 1, 'it is connected')
      curl.kill('SIGKILL')
      await new Promise((resolve) => curl.once('close', resolve))
      for (const path of ['/one', '/two']) t.equal(await (await fetch(`${url}${path}`)).text(), path)
      t.equal(forward.child.exitCode, null, 'it goes on')
      forward.child.kill('SIGINT')
      await forward.ended
      t.equal(lastOf(way === 'spdy' ? 'spdy' : 'tunnel')?.violation, null)
    })
  }

  await t.test('a half-closed stream ends with its grant', async (t) => {
    cluster.faults.ending = 'half'
    for (const env of Object.values(ways)) {
      const before = cluster.streams.length
      const half = kubectl.start(['exec', 'web-1', '--', 'echo', 'hi'], env)
      await waitUntil(() => cluster.streams[before]?.exitCode === 0, 'the program has ended')
      halves.push(half)
    }
    t.ok(halves.every(({ child }) => child.exitCode === null))
  })

  await t.test('§8.3: another cluster, and no grant: one line each', async (t) => {
    const other = await askCluster(company, token, '/api/v1/pods', clusterId.replace(/web$/, 'ledger'))
    await other.ended
    t.match({ status: other.status, text: other.text() }, { status: 403, text: /the token is for another resource/ })
    await company.api('bob', 'POST', `/api/v1/grants/${grantId}/revoke`, { reason: 'incident 42' })
    for (const args of [
      ['get', 'pods'],
      ['exec', 'web-1', '--', 'id'],
    ]) {
      const { code, stdout, stderr } = await kubectl.run(...args).ended
      t.match({ code, stdout }, { code: 1, stdout: '' })
      t.match(stderr, /^(?:Error from server \(Forbidden\)|error): .*Sallyport: .*incident 42.*\n$/)
    }
    for (const half of halves) t.match(await half.ended, { code: 1, stdout: 'hi\n', stderr: /incident 42/ })
    t.notMatch(company.daemon.log(), /k8s-aws-v1|spt_/, 'secrets in logs')
    const path = `/api/v1/audit/events?type=session.denied&subject=${clusterId}`
    const { events } = await company.api<{ events: { fields: object; text: { reason: string } }[] }>(
      'carol',
      'GET',
      path,
    )
    t.match(events[0], { fields: { code: 'GRANT_DENIED', grant: grantId, level: 'operate' } })
    t.ok(
      events.some(({ text }) => text.reason.includes('the token is for another resource')),
      'that of the other cluster is on record too',
    )
  })
})

/** @returns port of a server that says its path; `/flood` is without end */
async function serveFlood(t: Test): Promise<number> {
  const server = createServer(({ url = '' }, response) => {
    if (url !== '/flood') return void response.end(url)
    const pour = () => {
      while (response.write(Buffer.alloc(65_536)));
    }
    response.on('drain', pour).on('error', () => {})
    pour()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}
