/** What a hostile agent or gateway, or many clients at once, may not cost. */
import t, { type Test } from 'tap'
import type { WebSocket } from 'ws'
import { DataChannel } from '../../../proxy/ssm/data-channel.ts'
import { PortSession } from '../../../proxy/ssm/smux-session.ts'
import { parseFrame } from '../../sandbox/ssm/frames.ts'
import { waitUntil } from '../../wait-until.ts'
import { acknowledgementOf, ignoring, portHandshake, startHostileGateway } from './hostile-gateway.ts'
import { openSession } from './session-fixture.ts'

/** A port session whose agent acknowledges nothing until `release`; what it got then. */
async function openDeaf(t: Test) {
  const got: Buffer[] = []
  let isReleased = false
  let agent: WebSocket | undefined
  const acknowledge = (sequence: number) => agent?.send(acknowledgementOf(sequence))
  const sequences: number[] = []
  const { ticket } = await startHostileGateway(t, (socket) => {
    agent = socket
    portHandshake(socket)
    socket.on('message', (bytes: Buffer) => {
      if (bytes.toString('latin1', 4, 9) !== 'input') return
      const { sequence, payload, payloadType } = parseFrame(bytes)
      if (sequences.includes(sequence)) return
      sequences.push(sequence)
      if (payloadType === 1) got.push(payload)
      if (isReleased) acknowledge(sequence)
    })
  })
  const port = new PortSession({ ticket, expected: {} })
  t.teardown(() => port.close())
  const release = () => {
    isReleased = true
    for (const sequence of sequences) acknowledge(sequence)
  }
  return { port, got, release }
}

const windowBytes = 256 * 1024

t.test('what is written in small parts while there is no room goes in few messages', async (t) => {
  const { port, got, release } = await openDeaf(t)
  const [full, stream] = [await port.open(), await port.open()]
  full.write(Buffer.alloc(windowBytes))
  for (let count = 0; count < 10_000; count += 1) stream.write('x')
  release()
  const of = (id: number) => got.filter((payload) => payload.readUInt32LE(4) === id && payload[1] === 2)
  await waitUntil(() => of(5).reduce((sum, { length }) => sum + length - 8, 0) === 10_000, 'all has arrived')
  t.ok(of(5).length < 20, `${of(5).length} messages`)
})

t.test('names of the agent that are too long for people end the session', async (t) => {
  for (const agent of [{ agentVersion: `3.3.987.${'0'.repeat(60)}` }, { extraActions: ['x'.repeat(65)] }]) {
    const { options } = await openSession(t, { sessionType: 'Port' }, agent)
    const { promise, resolve } = Promise.withResolvers<unknown>()
    const channel = new DataChannel(options, { ...ignoring, ended: resolve })
    t.teardown(() => channel.destroy())
    t.match(await promise, { reason: 'failed', error: { code: 'TARGET_LOST' } })
  }
})
