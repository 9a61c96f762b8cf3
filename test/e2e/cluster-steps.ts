import { hash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import path from 'node:path'
import type { Test } from 'tap'
import { type Ran, type Running, startCommand } from '../sandbox/commands.ts'
import type { ApiServer } from '../sandbox/kubernetes/api-server.ts'
import { resourceTypes } from '../sandbox/kubernetes/objects.ts'
import { spawnPty } from '../sandbox/pty.ts'
import { waitUntil } from '../wait-until.ts'
import type { ClusterTools } from './cluster-tools.ts'

/** Whose programs are run, and how they find the cluster `web`. */
export interface ClusterClient {
  readonly tools: ClusterTools
  readonly cluster: ApiServer
  /** With `KUBECONFIG`, whose namespace is `shop`. */
  readonly env: NodeJS.ProcessEnv
  /** For files; it is there. */
  readonly folder: string
}

const configMap = (value: string) =>
  JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'applied' }, data: { colour: value } })

const copiedBytes = 50_000_000
const byWebSocket = {}
const bySpdy = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' }

/** What people do with kubectl. */
export async function tryKubectl(t: Test, client: ClusterClient): Promise<void> {
  const { cluster, tools } = client
  const start = (args: readonly string[], env: NodeJS.ProcessEnv = {}, input: string | null = ''): Running =>
    startCommand(tools.kubectl, args, { ...client.env, ...env }, input)
  const run = async (args: readonly string[], input = ''): Promise<Ran> => {
    const ran = await start(args, {}, input).ended
    t.equal(ran.code, 0, `kubectl ${args.join(' ')}: ${ran.stderr}`)
    return ran
  }
  const applied = async () => (await run(['get', 'configmap', 'applied', '-o', 'jsonpath={.data.colour}'])).stdout

  t.match((await run(['get', 'pods'])).stdout, /^NAME +STATUS\nweb-1 +Running\n$/)
  t.match((await run(['describe', 'pod', 'web-1'])).stdout, /Name: +web-1\n/)
  t.match((await run(['auth', 'can-i', 'get', 'pods'])).stdout, 'yes')

  t.match((await run(['create', '-f', '-'], configMap('white'))).stdout, 'configmap/applied created')
  t.match((await start(['create', '-f', '-'], {}, configMap('grey')).ended).stderr, /AlreadyExists/)
  t.equal(await applied(), 'white')
  await run(['delete', 'configmap', 'applied'])
  t.match((await run(['apply', '-f', '-'], configMap('blue'))).stdout, 'configmap/applied created')
  t.match((await run(['apply', '-f', '-'], configMap('green'))).stdout, 'configmap/applied configured')
  t.equal(await applied(), 'green')
  await run(['apply', '--server-side', '--force-conflicts', '-f', '-'], configMap('red'))
  t.equal(await applied(), 'red')
  await run(['delete', 'configmap', 'applied'])
  t.match((await start(['get', 'configmap', 'applied']).ended).stderr, /NotFound/)

  const watch = start(['get', 'pods', '--watch'])
  await watch.prints(/web-1/)
  const pods = resourceTypes.find(({ resource }) => resource === 'pods')
  if (!pods) throw new Error('there are no pods')
  const status = { phase: 'Pending' }
  cluster.objects.put(pods, 'shop', 'web-2', { spec: { containers: [{ name: 'web', image: 'web:2' }] }, status })
  await watch.prints(/web-2 +Pending/)
  cluster.objects.delete(pods, 'shop', 'web-2')
  t.match((await run(['logs', 'web-1'])).stdout, /web-1 has started\n/)
  const follow = start(['logs', '-f', 'web-1'])
  await follow.prints(/web-1 has started/)
  cluster.say('web-1', 'hello from the pod')
  await follow.prints(/hello from the pod/)
  for (const one of [watch, follow]) {
    one.child.kill('SIGINT')
    await one.ended
  }

  // Ahead of 1.30, exec knows SPDY alone; ahead of 1.31, port-forward.
  for (const env of tools.minor < 30 ? [bySpdy] : [byWebSocket, bySpdy]) await tryStreams(t, client, start, env)
}

async function tryStreams(
  t: Test,
  client: ClusterClient,
  start: (args: readonly string[], env: NodeJS.ProcessEnv, input?: string | null) => Running,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const { cluster, folder, tools } = client
  const isSpdy = env === bySpdy
  const last = () => cluster.streams.at(-1)
  const script = 'cat; echo more >&2; exit 3'
  const ran = await start(['exec', '-i', 'web-1', '--', 'sh', '-c', script], env, 'some input').ended
  t.match(ran, { code: 3, stdout: 'some input', stderr: /^more\n/ })
  const transport = isSpdy ? 'spdy' : 'webSocket'
  t.match(last(), { transport, exitCode: 3, hasInputEnded: true, violation: null }, `exec by ${transport}`)

  const plain = await start(['exec', 'web-1', '--', 'echo', 'without input'], env).ended
  t.match(plain, { code: 0, stdout: 'without input\n' }, plain.stderr)
  t.match(last(), { transport, exitCode: 0, violation: null })
  await tryTerminal(t, { ...client, env: { ...client.env, ...env } })
  await tryAttach(t, client, (args) => start(args, env, null))

  const [up, down] = [path.join(folder, 'up'), path.join(folder, 'down')]
  writeFileSync(up, randomBytes(copiedBytes))
  for (const args of [
    ['cp', up, 'web-1:/tmp/copy'],
    ['cp', 'web-1:/tmp/copy', down],
  ]) {
    const copied = await start(args, env).ended
    t.equal(copied.code, 0, copied.stderr)
  }
  t.equal(digest(down), digest(up), 'copied there and back')
  t.equal(digest(path.join(cluster.pod('web-1').root, 'tmp/copy')), digest(up))

  const echo = await startEcho(t)
  cluster.pod('web-1').ports.set(8080, echo)
  const forward = start(['port-forward', 'web-1', ':8080'], env)
  const [, port] = await forward.prints(/Forwarding from 127\.0\.0\.1:(\d+) -> 8080/)
  const texts = Array.from({ length: 20 }, (_, i) => `text ${i}`)
  t.same(await Promise.all(texts.map((text) => echoed(Number(port), text))), texts)
  t.match(last(), { transport: isSpdy || tools.minor < 31 ? 'spdy' : 'tunnel', violation: null })
  forward.child.kill('SIGINT')
  await forward.ended
  await waitUntil(() => last()?.isOpen === false, 'the cluster was left')
}

const digest = (file: string) => hash('sha256', readFileSync(file))

/** A shell on a terminal that changes its size. @param env by which it is reached */
async function tryTerminal(t: Test, { tools, env }: ClusterClient): Promise<void> {
  const shell = spawnPty([tools.kubectl, 'exec', '-it', 'web-1', '--', 'sh'], { env })
  let shown = ''
  shell.stdout.on('data', (chunk: Buffer) => {
    shown += chunk
  })
  const shows = (text: string) =>
    waitUntil(
      () => shown.includes(text),
      () => `${text} in ${shown}`,
      20_000,
    )
  await shows('[this session is recorded]')
  shell.stdin.write('echo marker-$((40 + 2))\n')
  await shows('marker-42')
  shell.resize(101, 31)
  await waitUntil(
    () => {
      if (!shown.includes('31 101')) shell.stdin.write('stty size\n')
      return shown.includes('31 101')
    },
    () => `the new size in ${shown}`,
    20_000,
    500,
  )
  shell.stdin.write('exit 7\n')
  t.equal(await new Promise((resolve) => shell.child.once('close', resolve)), 7)
}

/** To a program that reads lines, which goes on afterwards. */
async function tryAttach(
  t: Test,
  { cluster }: ClusterClient,
  start: (args: readonly string[]) => Running,
): Promise<void> {
  cluster.pod('web-1').start(['sh', '-c', 'while read -r line; do echo "got $line"; done'])
  const attached = start(['attach', '-i', 'web-1'])
  await waitUntil(() => cluster.streams.at(-1)?.kind === 'attach' && cluster.streams.at(-1)?.isOpen === true)
  attached.child.stdin?.write('one\n')
  await attached.prints(/got one/)
  t.match(cluster.streams.at(-1), { violation: null })
  attached.child.kill('SIGINT')
  await attached.ended
}

/** A chart as `helm create` makes it: installed, upgraded, rolled back, removed. */
export async function tryHelm(t: Test, { tools, cluster, env, folder }: ClusterClient): Promise<void> {
  const helm = async (...args: string[]): Promise<Ran> => {
    const ran = await startCommand(tools.helm, args, { ...env, HELM_CACHE_HOME: folder, HELM_CONFIG_HOME: folder })
      .ended
    t.equal(ran.code, 0, `helm ${args.join(' ')}: ${ran.stderr}`)
    return ran
  }
  const replicas = () => {
    const deployment = cluster.objects.get('deployments', 'shop', 'front-chart')
    return (deployment?.spec as { replicas?: number } | undefined)?.replicas
  }
  const chart = path.join(folder, 'chart')
  await helm('create', chart)
  await helm('install', 'front', chart)
  t.equal(replicas(), 1)
  await helm('upgrade', 'front', chart, '--set', 'replicaCount=3')
  t.equal(replicas(), 3)
  await helm('rollback', 'front', '1')
  t.equal(replicas(), 1)
  t.match((await helm('history', 'front')).stdout, /3 .*Rollback to 1/)
  t.match((await helm('list')).stdout, /front\s+shop\s+3/)
  await helm('uninstall', 'front')
  t.equal(replicas(), undefined)
  t.same(
    cluster.objects.list('secrets', 'shop').map(({ metadata }) => metadata.name),
    ['password'],
  )
}

/** What comes back as it was sent. @returns its port */
async function startEcho(t: Test): Promise<number> {
  const server = createServer((socket) => socket.pipe(socket).on('error', () => {}))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

/** @returns all that comes back */
function echoed(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.end(text))
    let got = ''
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      got += chunk
    })
    socket.on('error', () => {})
    socket.once('close', () => resolve(got))
  })
}
