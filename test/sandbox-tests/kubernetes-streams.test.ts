/** The streams of the sandbox's cluster, by the real kubectl with nothing between. */
import { readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import path from 'node:path'
import t, { type Test } from 'tap'
import { skipWithoutKubectl } from '../sandbox/programs.ts'
import { noPty, spawnPty } from '../sandbox/pty.ts'
import { waitUntil } from '../wait-until.ts'
import { type DirectCluster, openDirectly } from './kubectl.ts'

t.setTimeout(120_000)

t.test('kubectl', { skip: skipWithoutKubectl() }, async (t) => {
  const direct = await openDirectly(t)
  const { cluster, kubectl } = direct
  const last = () => cluster.streams.at(-1)
  // Ahead of 1.31, kubectl knows SPDY alone for some of them.
  const version = await kubectl(['version', '--client']).ended
  const knowsWebSockets = Number(/v1\.(\d+)/.exec(version.stdout)?.[1]) > 30
  const transports = knowsWebSockets ? (['webSocket', 'spdy'] as const) : (['spdy'] as const)

  for (const transport of transports) {
    const protocol = transport === 'spdy' ? /^v[45]\.channel\.k8s\.io$/ : 'v5.channel.k8s.io'
    t.test(`exec by ${transport}`, async (t) => {
      const script = 'cat; echo more >&2; exit 3'
      const options = { transport, input: 'some input' }
      const ran = await kubectl(['exec', '-i', 'web-1', '--', 'sh', '-c', script], options).ended
      t.match(ran, { code: 3, stdout: 'some input', stderr: /^more\ncommand terminated with exit code 3\n$/ })
      await waitUntil(() => last()?.isOpen === false)
      t.match(last(), {
        kind: 'exec',
        pod: 'shop/web-1',
        command: ['sh', '-c', script],
        transport,
        protocol,
        exitCode: 3,
        inputBytes: 10,
        hasInputEnded: true,
        violation: null,
      })
      t.match(cluster.audit.at(-1), {
        attributes: {
          verb: transport === 'spdy' ? 'create' : 'get',
          namespace: 'shop',
          resource: 'pods',
          name: 'web-1',
          subresource: 'exec',
        },
        user: /assumed-role\/web-view\/alice@example\.com$/,
      })
      const missing = await kubectl(['exec', 'web-1', '--', 'no-such-program', 'a b'], { transport }).ended
      t.equal(missing.code, 1)
      t.match(missing.stderr, /exec: "no-such-program": executable file not found in \$PATH/)
      t.same(last()?.command, ['no-such-program', 'a b'])
    })

    t.test(`attach by ${transport}`, async (t) => {
      const pod = cluster.pod('web-1')
      pod.start(['sh', '-c', 'read line; echo "got $line"; echo sorry >&2'])
      const attached = kubectl(['attach', '-i', 'web-1'], { transport, input: null })
      await waitUntil(() => last()?.kind === 'attach' && last()?.isOpen === true)
      attached.child.stdin?.write('hello\n')
      t.match(await attached.ended, { code: 0, stdout: 'got hello\n', stderr: /sorry\n/ })
      t.match(last(), { kind: 'attach', transport, violation: null })
      attached.child.stdin?.end()
    })

    t.test(`cp by ${transport}`, async (t) => {
      const [up, down] = [`up-${transport}`, `down-${transport}`].map((name) => path.join(direct.folder, name))
      const bytes = Buffer.from(Array.from({ length: 1_000_000 }, (_, i) => (i * i) & 0xff))
      writeFileSync(up as string, bytes)
      const sent = await kubectl(['cp', up as string, 'web-1:/tmp/copy'], { transport }).ended
      t.equal(sent.code, 0, sent.stderr)
      t.ok(readFileSync(path.join(cluster.pod('web-1').root, 'tmp/copy')).equals(bytes), 'it is there')
      const fetched = await kubectl(['cp', 'web-1:/tmp/copy', down as string], { transport }).ended
      t.equal(fetched.code, 0, fetched.stderr)
      t.ok(readFileSync(down as string).equals(bytes), 'and comes back')
    })

    t.test(`port-forward by ${transport}`, async (t) => {
      cluster.pod('web-1').ports.set(8080, await startEcho(t))
      const forward = kubectl(['port-forward', 'web-1', ':8080'], { transport })
      const [, port] = await forward.prints(/Forwarding from 127\.0\.0\.1:(\d+) -> 8080/)
      const answers = await Promise.all(['one', 'two', 'three'].map((text) => echoed(Number(port), text)))
      t.same(answers, ['one', 'two', 'three'])
      t.match(last(), {
        kind: 'portforward',
        transport: transport === 'spdy' ? 'spdy' : 'tunnel',
        ports: [8080, 8080, 8080],
        violation: null,
      })
      forward.child.kill('SIGINT')
      await forward.ended
      await waitUntil(() => last()?.isOpen === false)
      const nowhere = kubectl(['port-forward', 'web-1', ':9999'], { transport })
      const [, closed] = await nowhere.prints(/Forwarding from 127\.0\.0\.1:(\d+) -> 9999/)
      t.equal(await echoed(Number(closed), 'x'), '')
      await nowhere.prints(/error forwarding port 9999 to pod web-1, uid : .*connection refused/)
      nowhere.child.kill('SIGINT')
      await nowhere.ended
    })
  }

  t.test('a cluster without WebSockets', { skip: !knowsWebSockets && 'this kubectl has none' }, async (t) => {
    for (const refusal of [400, 403] as const) {
      cluster.faults.webSocket = refusal
      const before = cluster.streams.length
      t.match(await kubectl(['exec', 'web-1', '--', 'echo', 'hi']).ended, { code: 0, stdout: 'hi\n' })
      t.match(cluster.streams.slice(before), [{ transport: '' }, { transport: 'spdy', exitCode: 0 }])
    }
    cluster.faults.webSocket = 0
  })

  t.test('exec -it', { skip: noPty }, async (t) => {
    for (const transport of transports) await runTerminal(t, direct, transport)
  })
})

async function runTerminal(t: Test, { cluster, env }: DirectCluster, transport: 'webSocket' | 'spdy'): Promise<void> {
  const shell = spawnPty(['kubectl', 'exec', '-it', 'web-1', '--', 'sh'], { env: env(transport) })
  let text = ''
  shell.stdout.on('data', (data: Buffer) => {
    text += data
  })
  await waitUntil(
    () => text.includes('$ '),
    () => text,
  )
  shell.resize(97, 31)
  await waitUntil(() => cluster.streams.at(-1)?.sizes.includes('97x31') ?? false, 'the size is known')
  shell.stdin.write('stty size; exit 7\n')
  const code = await new Promise((resolve) => shell.child.once('close', resolve))
  t.equal(code, 7)
  t.match(text, /\r\n31 97\r\n/)
  t.match(cluster.streams.at(-1), { transport, tty: true, exitCode: 7, violation: null })
}

async function startEcho(t: Test): Promise<number> {
  const server = createServer((socket) => socket.pipe(socket).on('error', () => {}))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

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
