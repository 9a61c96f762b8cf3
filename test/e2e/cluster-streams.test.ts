import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import path from 'node:path'
import t, { type Test } from 'tap'
import { isShortRun } from '../long.ts'
import type { Running } from '../sandbox/commands.ts'
import { clusterId } from '../sandbox/daemon-files.ts'
import type { ApiServer } from '../sandbox/kubernetes/api-server.ts'
import { type ResourceType, resourceTypes } from '../sandbox/kubernetes/objects.ts'
import { skipWithoutKubectl } from '../sandbox/programs.ts'
import { noPty, spawnPty } from '../sandbox/pty.ts'
import { waitFor, waitUntil } from '../wait-until.ts'
import { issueClusterToken } from './cluster-client.ts'
import { type Kubectl, kubectlOf } from './cluster-kubectl.ts'
import { type Company, startCompany } from './company.ts'

t.setTimeout(180_000)

const ways: Readonly<Record<'webSocket' | 'spdy', NodeJS.ProcessEnv>> = {
  webSocket: {},
  spdy: { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' },
}
type Way = keyof typeof ways
const wayNames = Object.keys(ways) as Way[]

interface Entry {
  readonly type: string
  readonly argv?: readonly string[]
  readonly [member: string]: unknown
}

interface Recording {
  readonly id: string
  readonly entries: readonly Entry[]
}

/** Of the sessions at the cluster, newest first. */
async function recordings(company: Company): Promise<Recording[]> {
  const { items } = await company.api<{ items: { id: string }[] }>('carol', 'GET', '/api/v1/recordings?limit=100')
  return await Promise.all(
    items.map(async ({ id }) => {
      const text = await (await company.call('carol', 'GET', `/api/v1/recordings/${id}`)).text()
      const [, ...entries] = text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line))
      return { id, entries }
    }),
  )
}

async function recorded(company: Company, first: (entry: Entry) => boolean): Promise<Recording> {
  const found = await waitFor(async () => {
    const one = (await recordings(company)).find(({ entries: [entry] }) => entry !== undefined && first(entry))
    return one?.entries.some(({ type }) => type === 'end') ? one : undefined
  }, 'a whole recording')
  return found
}

const digest = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex')

/** A server beside the pod, at its port 8080. */
async function serveWeb(t: Test, cluster: ApiServer): Promise<void> {
  const server = createServer((request, response) => response.end(`hello ${request.url}`.repeat(10_000)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  cluster.pod('web-1').ports.set(8080, (server.address() as AddressInfo).port)
}

async function forward(kubectl: Kubectl, way: Way): Promise<{ running: Running; port: number }> {
  const running = kubectl.start(['port-forward', 'pod/web-1', ':8080'], ways[way])
  const [, port] = await running.prints(/127\.0\.0\.1:(\d+) -> 8080/)
  return { running, port: Number(port) }
}

t.test(
  '§8.2, §8.4: exec, cp, port-forward and attach, and where the grant ends',
  { skip: skipWithoutKubectl() },
  async (t) => {
    const company = await startCompany({ sandbox: { cluster: true } })
    t.teardown(() => company.close())
    const { cluster, dir } = company.sandbox
    if (!cluster) throw new Error('there is no cluster')
    const grant = await company.grant(3_600_000, clusterId, 'operate')
    const kubectl = await kubectlOf(t, company, 'operate', '--token')
    await serveWeb(t, cluster)
    const pod = cluster.pod('web-1')
    const streamsBy = (way: Way) => cluster.streams.filter(({ transport }) => transport === way)

    await Promise.all(
      wayNames.map(async (way) => {
        const argv = ['exec', '-i', 'web-1', '--', 'sh', '-c', `cat; echo by-${way} >&2; exit 3`]
        const ran = await kubectl.start(argv, ways[way], 'from stdin\n').ended
        t.match(ran, { code: 3, stdout: 'from stdin\n', stderr: new RegExp(`by-${way}\n.*exit code 3`, 's') }, way)
      }),
    )
    for (const way of wayNames) {
      t.match(streamsBy(way), [{ kind: 'exec', exitCode: 3, hasInputEnded: true, violation: null }])
      const { entries } = await recorded(company, ({ argv }) => argv?.[2]?.includes(`by-${way}`) ?? false)
      t.match(entries, [
        { type: 'terminal', pod: 'web-1', namespace: 'shop', stream: 'exec', tty: false, role: /web-view/ },
        { type: 'output', text: 'from stdin\n' },
        { type: 'output', text: `by-${way}\n`, stream: 'stderr' },
        { type: 'end', exitCode: 3, streams: { stdin: { bytes: 11, hmac: /^[0-9a-f]{64}$/ } } },
      ])
    }

    const file = path.join(dir, 'upload')
    writeFileSync(file, randomBytes(2_000_000))
    const copyWays = isShortRun ? (['spdy'] as const) : wayNames
    await Promise.all(
      copyWays.map(async (way) => {
        const up = await kubectl.start(['cp', file, `web-1:/tmp/${way}`], ways[way]).ended
        t.equal(up.code, 0, up.stderr)
        const down = await kubectl.start(['cp', `web-1:/tmp/${way}`, `${file}-${way}`], ways[way]).ended
        t.equal(down.code, 0, down.stderr)
        t.equal(digest(`${file}-${way}`), digest(file))
        t.equal(digest(path.join(pod.root, 'tmp', way)), digest(file))
      }),
    )
    const { entries: copied } = await recorded(company, ({ argv }) => argv?.join(' ') === 'tar cf - /tmp/spdy')
    t.match(
      copied.filter(({ type }) => type === 'file'),
      [{ direction: 'down', path: 'tmp/spdy', size: 2_000_000 }],
    )
    const { entries: sent } = await recorded(
      company,
      ({ argv }) => argv?.join(' ').startsWith('tar -xmf - -C /tmp') ?? false,
    )
    t.match(
      sent.filter(({ type }) => type === 'file'),
      [{ direction: 'up', path: /^(?:spdy|webSocket)$/, size: 2_000_000 }],
    )
    const end = copied.at(-1)
    t.match(end, { type: 'end', streams: { stdout: { bytes: /^20[0-9]{5}$/ } } })
    t.ok(
      [0, undefined].includes(end?.exitCode as number | undefined),
      'kubectl may leave once it has the whole archive',
    )

    await Promise.all(
      wayNames.map(async (way) => {
        const { running, port } = await forward(kubectl, way)
        const paths = Array.from({ length: 8 }, (_, i) => `/${way}-${i}`)
        const texts = await Promise.all(paths.map(async (at) => (await fetch(`http://127.0.0.1:${port}${at}`)).text()))
        t.same(
          texts,
          paths.map((at) => `hello ${at}`.repeat(10_000)),
          way,
        )
        running.child.kill('SIGINT')
        await running.ended
      }),
    )
    const { entries: forwarded } = await recorded(company, ({ stream }) => stream === 'portforward')
    const connections = forwarded.filter(({ type }) => type === 'connection-end')
    t.ok(connections.length > 0)
    for (const one of connections) t.match(one, { port: 8080, bytesUp: Number, bytesDown: Number })

    pod.start(['sh', '-c', 'while read -r line; do echo "got $line"; done'])
    const attached = kubectl.start(['attach', '-i', 'web-1'], {}, null)
    await waitUntil(() => cluster.streams.at(-1)?.kind === 'attach' && cluster.streams.at(-1)?.isOpen === true)
    attached.child.stdin?.write('one\n')
    await attached.prints(/got one/)
    attached.child.stdin?.end()
    attached.child.kill('SIGINT')

    cluster.faults.webSocket = 403
    const before = cluster.streams.length
    const behind = await kubectl.run('exec', 'web-1', '--', 'echo', 'by the other way').ended
    t.match(behind, { code: 0, stdout: 'by the other way\n' })
    t.match(cluster.streams.slice(before), [{ transport: '' }, { transport: 'spdy' }], 'it was asked twice')
    cluster.faults.webSocket = 0
    const isThis = ({ argv }: Entry) => argv?.join(' ') === 'echo by the other way'
    const { entries: twice } = await recorded(company, isThis)
    t.match(twice, [{}, { type: 'notice', text: /answered 403/ }, { type: 'output' }, { type: 'end', exitCode: 0 }])
    t.equal(
      (await recordings(company)).filter(({ entries: [first] }) => first && isThis(first)).length,
      1,
      'one action',
    )

    await t.test('a terminal is replayed', { skip: noPty }, async (t) => {
      const shell = spawnPty(['kubectl', 'exec', '-it', 'web-1', '--', 'sh'], { env: kubectl.env })
      let shown = ''
      shell.stdout.on('data', (chunk) => {
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
      shell.stdin.write('exit 7\n')
      t.same(await new Promise((resolve) => shell.child.once('close', resolve)), 7)
      const { id, entries } = await recorded(company, ({ tty }) => tty === true)
      t.notOk(entries.some(({ type }) => type === 'input'))
      const { stdout } = await company.commands.carol.run(['recordings', 'play', id])
      t.match(stdout, /\[sh\]\r\n[\s\S]*marker-42[\s\S]*\[exit code 7\]/)
      const cast = await (await company.call('carol', 'GET', `/api/v1/recordings/${id}/cast`)).text()
      t.match(cast, /^\{"version":2,[\s\S]*"o","[^\n]*marker-42/)
    })

    await t.test('§8.3: refusals', async (t) => {
      cluster.objects.put(resourceTypes[0] as ResourceType, 'shop', 'db-1', {
        spec: { containers: [{ name: 'db', image: 'db:1' }] },
        status: { phase: 'Running' },
      })
      const denied = await kubectl.run('exec', 'db-1', '--', 'id').ended
      t.match(denied, { code: 1, stderr: /Sallyport: access was not granted: .*it needs "exec" on pods "db-1"/ })
      const isDenied = ({ type, refused, name }: Entry) =>
        type === 'request' && refused !== undefined && name === 'db-1'
      const all = (await recordings(company)).flatMap(({ entries }) => entries)
      t.equal(all.filter(isDenied).length, 1, 'on record once, though kubectl asked twice')
      const missing = await kubectl.run('exec', 'web-1', '-c', 'other', '--', 'id').ended
      t.match(missing, { code: 1, stderr: /container other/ }, 'the words of the cluster')
      const token = await issueClusterToken(company)
      const asked = cluster.streams.length
      const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']
      const websocket = [...upgrade, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']
      const wrong: Readonly<Record<string, readonly string[]>> = {
        'a foreign protocol of streams': [...websocket, 'Sec-WebSocket-Protocol: chat'],
        'an upgrade to something else': ['Connection: Upgrade', 'Upgrade: h2c'],
        'two lengths': [
          ...websocket,
          'Content-Length: 0',
          'Content-Length: 5',
          'Sec-WebSocket-Protocol: v5.channel.k8s.io',
        ],
      }
      for (const [what, lines] of Object.entries(wrong))
        t.match(await askRaw(company, token, lines), /^HTTP\/1\.1 400 /, what)
      t.equal(cluster.streams.length, asked, 'the cluster was not asked')
    })

    const earlier = cluster.streams.length
    const big = path.join(pod.root, 'tmp', 'big')
    writeFileSync(big, '')
    truncateSync(big, 40_000_000_000)
    const execs = wayNames.map((way) => kubectl.start(['exec', '-i', 'web-1', '--', 'cat'], ways[way], null))
    const streaming = [...execs, kubectl.start(['cp', 'web-1:/tmp/big', path.join(dir, 'big')])]
    const ports = await Promise.all(wayNames.map((way) => forward(kubectl, way)))
    for (const { child } of execs) child.stdin?.write('it runs\n')
    await Promise.all(execs.map((one) => one.prints(/it runs/)))
    const held = ports.map(({ port }) => connect(port, '127.0.0.1').on('error', () => {}))
    for (const socket of held) t.teardown(() => socket.destroy())
    const isOpen = () => cluster.streams.slice(earlier).filter((one) => one.isOpen)
    await waitUntil(
      () => isOpen().some(({ command }) => command[0] === 'tar') && isOpen().flatMap((one) => one.ports).length === 2,
      () => `all run: ${JSON.stringify(isOpen())}`,
    )
    const decidedAt = Date.now()
    await company.api('bob', 'POST', `/api/v1/grants/${grant.id}/revoke`, { reason: 'incident 42' })
    await waitUntil(
      () => isOpen().length === 0,
      () => `the cluster was left: ${JSON.stringify(isOpen())}`,
    )
    const leftMs = Date.now() - decidedAt
    t.ok(leftMs < 1000, `${leftMs} ms`)
    const ended = await Promise.all([...streaming, ...ports.map(({ running }) => running)].map((one) => one.ended))
    for (const { code, stderr } of ended) t.match({ code, stderr }, { code: 1, stderr: /incident 42/ })
    t.comment(ended.map(({ endedAt, stderr }) => `${endedAt - decidedAt} ms: ${stderr}`))
    t.ok(Math.max(...ended.map(({ endedAt }) => endedAt)) - decidedAt < 1000, 'within a second')
    t.match(
      cluster.streams.map(({ violation }) => violation).filter((one) => one !== null),
      [],
    )
  },
)

/** One request of alice's to an exec, byte by byte. @returns the answer */
async function askRaw(company: Company, token: string, lines: readonly string[]): Promise<string> {
  const { hostname, port } = new URL(company.daemon.url)
  const socket = connect(Number(port), hostname)
  const place = `/k8s/${clusterId.replace('eks-cluster/', '')}/api/v1/namespaces/shop/pods/web-1/exec?command=id&stdout=true`
  const head = [`GET ${place} HTTP/1.1`, 'Host: broker', `Authorization: Bearer ${token}`, ...lines]
  socket.write(`${head.join('\r\n')}\r\n\r\n`)
  let text = ''
  for await (const chunk of socket) text += chunk
  return text
}
