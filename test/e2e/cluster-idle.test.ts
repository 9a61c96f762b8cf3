/**
 * Streams to a cluster on which nothing passes for ten minutes, longer than the limits of all balancers and proxies that the
 * checklist names: the broker has none. In `.ci/long`, with `SALLYPORT_SILENT_SECONDS=600`.
 */
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import t from 'tap'
import { resourceTypes } from '../sandbox/kubernetes/objects.ts'
import { skipWithoutKubectl } from '../sandbox/programs.ts'
import { quietFor, waitUntil } from '../wait-until.ts'
import { startClusterCompany } from './cluster-company.ts'
import { kubectlOf } from './cluster-kubectl.ts'

const silentMs = Number(process.env.SALLYPORT_SILENT_SECONDS ?? 0) * 1000
const bySpdy = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' }
const ways: readonly NodeJS.ProcessEnv[] = [{}, bySpdy]
const skip = skipWithoutKubectl() || (silentMs === 0 && 'takes ten minutes: with SALLYPORT_SILENT_SECONDS=600')

t.setTimeout(900_000)

t.test('§8.9: silent exec, watch, logs and port-forward go on', { skip }, async (t) => {
  const { company, cluster } = await startClusterCompany(t)
  const kubectl = await kubectlOf(t, company, 'all')
  const patient = { requestTimeout: 0, headersTimeout: 0 }
  const web = createServer(patient, (request, response) => response.end(`hello ${request.url}`))
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve))
  t.teardown(() => web.close())
  cluster.pod('web-1').ports.set(8080, (web.address() as AddressInfo).port)

  const execs = ways.map((env) => kubectl.start(['exec', '-i', 'web-1', '--', 'cat'], env, null))
  for (const { child } of execs) child.stdin?.write('before\n')
  const watch = kubectl.start(['get', 'pods', '--watch'])
  const logs = kubectl.start(['logs', '-f', 'web-1'])
  const forwards = ways.map((env) => kubectl.start(['port-forward', 'web-1', ':8080'], env))
  await Promise.all([...execs.map((one) => one.prints(/before/)), watch.prints(/web-1/), logs.prints(/has started/)])
  const held = await Promise.all(
    forwards.map(async (one) => {
      const [, port] = await one.prints(/127\.0\.0\.1:(\d+) -> 8080/)
      const socket = connect(Number(port), '127.0.0.1').on('error', () => {})
      let text = ''
      socket.on('data', (chunk: Buffer) => {
        text += chunk
      })
      t.teardown(() => socket.destroy())
      socket.write('GET /held HTTP/1.1\r\nHost: web\r\n') // its end comes after the silence
      return { socket, text: () => text }
    }),
  )
  await waitUntil(() => cluster.streams.filter(({ ports }) => ports.length > 0).length === ways.length, 'both are held')

  const all = [...execs, watch, logs, ...forwards]
  await Promise.race([quietFor(silentMs, 'none of them may end'), ...all.map(({ ended }) => ended)])
  for (const { child, output } of all) t.equal(child.exitCode, null, output)

  for (const { child } of execs) child.stdin?.end('after\n')
  for (const ran of await Promise.all(execs.map((one) => one.ended)))
    t.match(ran, { code: 0, stdout: 'before\nafter\n' }, ran.stderr)
  const pods = resourceTypes.find(({ resource }) => resource === 'pods')
  if (!pods) throw new Error('there are no pods')
  cluster.objects.put(pods, 'shop', 'web-2', { status: { phase: 'Pending' } })
  cluster.say('web-1', 'a word at last')
  await Promise.all([watch.prints(/web-2/), logs.prints(/a word at last/)])
  for (const { socket, text } of held) {
    socket.write('\r\n')
    await waitUntil(() => text().endsWith('hello /held'), text)
  }
  for (const { child } of [watch, logs, ...forwards]) child.kill('SIGINT')
  await Promise.all(all.map((one) => one.ended))
})
