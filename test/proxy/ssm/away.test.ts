/** Port sessions while the agent is away, and whose end an end is. */
import { once } from 'node:events'
import t, { type Test } from 'tap'
import type { WebSocket } from 'ws'
import { type PortOptions, PortSession } from '../../../proxy/ssm/smux-session.ts'
import { quietFor, waitUntil } from '../../wait-until.ts'
import {
  acknowledgementOf,
  dataMessage,
  portHandshake,
  serviceMessage,
  startHostileGateway,
} from './hostile-gateway.ts'

async function openPort(t: Test, options: Partial<PortOptions> = {}) {
  const sockets: WebSocket[] = []
  const inputs: Buffer[] = []
  const { ticket } = await startHostileGateway(t, (socket) => {
    sockets.push(socket)
    portHandshake(socket)
    socket.on('message', (bytes: Buffer) => {
      if (bytes.toString('latin1', 4, 9) !== 'input') return
      socket.send(acknowledgementOf(Number(bytes.readBigInt64BE(48))))
      if (bytes.readUInt32BE(112) === 1) inputs.push(bytes.subarray(120))
    })
  })
  const port = new PortSession({ ticket, expected: {}, ...options })
  t.teardown(() => port.close())
  const first = (await port.open()).on('error', () => {})
  const [socket] = sockets
  if (!socket) throw new Error('the client is not there')
  await waitUntil(() => inputs.length > 0, 'the first has been opened')
  return { port, first, socket, inputs }
}

t.test('a connection that is asked for while the agent is away is opened once it is back', async (t) => {
  const { port, socket, inputs, first } = await openPort(t, { halfClosedMs: 100 })
  first.resume().end()
  socket.send(serviceMessage('pause_publication'))
  socket.ping()
  await once(socket, 'pong')
  let isOpen = false
  const opened = port.open().then((stream) => {
    isOpen = true
    return stream
  })
  await quietFor(300, 'three times what a stream waits for the other end')
  t.notOk(isOpen)
  t.equal(port.size, 1, 'nor does a half-closed stream end meanwhile')
  socket.send(serviceMessage('start_publication'))
  await opened
  await waitUntil(() => inputs.some((frame) => frame[1] === 1), 'the half-closed one ends')
})

t.test('a refusal is that of the silent stream, whichever ends first', async (t) => {
  const { port, socket, first } = await openPort(t)
  const second = (await port.open()).on('error', () => {})
  const ends = [once(first.resume(), 'close'), new Promise((resolve) => void second.once('close', resolve))]
  const frame = (command: number, id: number, text = '') =>
    Buffer.concat([Buffer.from([1, command, text.length, 0, id, 0, 0, 0]), Buffer.from(text)])
  socket.send(dataMessage(2, 1, frame(2, 3, 'x')))
  socket.send(dataMessage(3, 10, Buffer.from([0, 0, 0, 3])))
  socket.send(dataMessage(4, 1, Buffer.concat([frame(1, 3), frame(1, 5)])))
  await Promise.all(ends)
  t.equal(first.errored, null)
  t.match(second.errored, { code: 'ECONNREFUSED' })
})
