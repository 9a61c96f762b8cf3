import { readFileSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import path from 'node:path'
import { createServer } from 'node:tls'
import t, { type Test } from 'tap'
import { type Running, startCommand } from '../sandbox/commands.ts'
import { clusterId } from '../sandbox/daemon-files.ts'
import { skipWithout } from '../sandbox/programs.ts'
import { waitUntil } from '../wait-until.ts'
import { type Company, startCompany } from './company.ts'

t.setTimeout(360_000)

/** TLS before the daemon, as a balancer has it: kubectl sends tokens over nothing else. @returns its address */
async function tlsFront(t: Test, { sandbox, daemon }: Company): Promise<string> {
  const { cert, key } = sandbox.authority.issue(['localhost'])
  const server = createServer({ cert, key }, (socket) => {
    const behind = connect(Number(new URL(daemon.url).port), '127.0.0.1')
    for (const one of [socket, behind]) one.on('error', () => {})
    socket.pipe(behind).pipe(socket)
    socket.on('close', () => behind.destroy())
    behind.on('close', () => socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return `https://localhost:${(server.address() as AddressInfo).port}`
}

/** kubectl of alice, by the context that `sallyport kube` wrote. */
async function kubectlOf(t: Test, company: Company, level: string) {
  const { sandbox, daemon, commands } = company
  const kubeconfig = path.join(sandbox.dir, `kubeconfig-${level}`)
  const env = {
    KUBECONFIG: kubeconfig,
    NODE_EXTRA_CA_CERTS: sandbox.caFile,
    HOME: path.join(sandbox.dir, 'home', 'alice'),
  }
  const written = await commands.alice.run(['kube', 'web', '--level', level, '--namespace', 'shop'], env)
  t.equal(written.code, 0, written.stderr)
  t.match(written.stdout, /^kubectl --context sallyport-web get pods\n$/)
  const front = await tlsFront(t, company)
  const text = readFileSync(kubeconfig, 'utf8')
  writeFileSync(kubeconfig, text.replace(`server: ${daemon.url}`, `server: ${front}`))
  const run = (...args: string[]): Running =>
    startCommand('kubectl', args, { ...commands.alice.env, ...env, KUBECACHEDIR: path.join(sandbox.dir, 'cache') })
  return { run, kubeconfig }
}

t.test('kubectl at the broker', { skip: skipWithout('kubectl', 'help') }, async (t) => {
  const company = await startCompany({ sandbox: { cluster: true } })
  t.teardown(() => company.close())
  const { cluster } = company.sandbox
  if (!cluster) throw new Error('there is no cluster')
  const grant = await company.grant(3_600_000, clusterId)
  const { run: kubectl } = await kubectlOf(t, company, 'readonly')

  const pods = await kubectl('get', 'pods').ended
  t.match(pods, { code: 0, stdout: /^NAME +STATUS\nweb-1 +Running\n$/ }, pods.stderr)
  const asked = cluster.audit.find(({ url }) => url.startsWith('/api/v1/namespaces/shop/pods'))
  t.match(asked?.user, /:assumed-role\/web-view\/alice=40example\.com$/, 'the cluster knows the person')
  t.equal(asked?.headers['x-forwarded-for'], '127.0.0.1')

  const secrets = await kubectl('get', 'secrets').ended
  t.equal(secrets.code, 1)
  t.match(
    secrets.stderr,
    /Sallyport: access was not granted: the access level "readonly" does not allow it: it needs "list" on secrets/,
  )
  t.notOk(
    cluster.audit.some(({ url }) => url.includes('/secrets')),
    'the cluster was not asked',
  )

  const as = await kubectl('get', 'pods', '--as', 'bob').ended
  t.equal(as.code, 1)
  t.match(as.stderr, /impersonation \(kubectl --as\) is not possible/)

  const watch = kubectl('get', 'pods', '--watch')
  await watch.prints(/web-1/)
  const follow = kubectl('logs', '-f', 'web-1')
  await follow.prints(/web-1 has started/)
  cluster.say('web-1', 'hello from the pod')
  await follow.prints(/hello from the pod/)
  await waitUntil(() => cluster.streaming === 2, 'both are streamed')

  await company.api('bob', 'POST', `/api/v1/grants/${grant.id}/revoke`, { reason: 'incident 42' })
  const decidedAt = Date.now()
  const [watched, followed] = await Promise.all([watch.ended, follow.ended])
  t.ok(Math.max(watched.endedAt, followed.endedAt) - decidedAt < 1000, 'both were cut within a second')
  t.equal(followed.code, 1, followed.stderr)
  t.match(watched.stdout + watched.stderr, /incident 42/)
  await waitUntil(() => cluster.streaming === 0, 'the cluster was left')
  const after = await kubectl('get', 'pods').ended
  t.equal(after.code, 1)
  t.comment(watched, followed, after)
})
