import t from 'tap'
import { openExecTap, openForwardTap } from '../../../../proxy/kubernetes/streams/open-tap.ts'
import type { StreamTap } from '../../../../proxy/kubernetes/streams/tap.ts'
import { streamProtocols, type UpgradeProtocol } from '../../../../proxy/kubernetes/upgrade.ts'
import { connection, masked, synStream } from './frames.ts'

const options = { command: ['id'], container: '', stdin: false, stdout: false, stderr: false, tty: false }
const exec = { input: () => {}, inputEnded: () => {}, output: () => {}, resize: () => {} }

/** What ends it, as far as its form shows. */
function formOf(tap: StreamTap): string {
  const words = tap.farewell('bye')?.toString('latin1') ?? 'nothing yet'
  if (words.startsWith('\x80')) return 'SPDY'
  return words.startsWith('\x81') ? 'text' : words.startsWith('\x82') ? 'binary' : words
}

t.test('each protocol that is offered has its tap', async (t) => {
  const forms: Record<string, string> = {}
  for (const upgrade of ['websocket', 'SPDY/3.1'] as UpgradeProtocol[]) {
    for (const protocol of streamProtocols.exec[upgrade]) {
      const tap = openExecTap(upgrade, protocol, options, exec)
      if (upgrade !== 'websocket') tap.up(synStream(1, { streamtype: 'error' }, true))
      forms[`exec by ${upgrade}: ${protocol}`] = formOf(tap)
    }
    for (const protocol of streamProtocols.forward[upgrade]) {
      const ports: number[] = []
      const events = { opened: ({ port }: { port: number }) => void ports.push(port), ended: () => {} }
      const tap = openForwardTap(upgrade, protocol, 'ports=80', events)
      if (protocol.startsWith('SPDY')) tap.up(masked(connection(1, 80, 0)))
      if (upgrade !== 'websocket') tap.up(connection(1, 80, 0))
      t.same(ports, [80])
      forms[`forward by ${upgrade}: ${protocol}`] = formOf(tap)
    }
  }
  t.same(forms, {
    'exec by websocket: v5.channel.k8s.io': 'binary',
    'exec by websocket: v4.channel.k8s.io': 'binary',
    'exec by websocket: v4.base64.channel.k8s.io': 'text',
    'forward by websocket: SPDY/3.1+portforward.k8s.io': 'binary',
    'forward by websocket: v4.channel.k8s.io': 'binary',
    'forward by websocket: v4.base64.channel.k8s.io': 'text',
    'exec by SPDY/3.1: v5.channel.k8s.io': 'SPDY',
    'exec by SPDY/3.1: v4.channel.k8s.io': 'SPDY',
    'forward by SPDY/3.1: portforward.k8s.io': 'SPDY',
  })
})

t.test('teleport 12292, 12551: SPDY is cut once the client has opened each stream that it asked for', async (t) => {
  for (let bits = 1; bits < 16; bits += 1) {
    const [stdin, stdout, stderr, tty] = [1, 2, 4, 8].map((bit) => (bits & bit) !== 0) as [
      boolean,
      boolean,
      boolean,
      boolean,
    ]
    const asked = Object.entries({ stdin, stdout, stderr: stderr && !tty, resize: tty })
    const types = ['error', ...asked.filter(([, isAsked]) => isAsked).map(([type]) => type)]
    const tap = openExecTap('SPDY/3.1', 'v4.channel.k8s.io', { ...options, stdin, stdout, stderr, tty }, exec)
    const said = types.map((streamtype, i) => {
      tap.up(synStream(2 * i + 1, { streamtype }, i === 0))
      return tap.farewell('bye') !== null
    })
    t.same(
      said,
      types.map((_, i) => i === types.length - 1),
      types.join(),
    )
  }
})

t.test('no tap is made for what was not offered', async (t) => {
  t.throws(() => openExecTap('websocket', 'v3.channel.k8s.io', options, exec), { code: 'INTERNAL' })
})
