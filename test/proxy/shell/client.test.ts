/** What the websocket of a terminal may say. */
import { EventEmitter } from 'node:events'
import t from 'tap'
import type { WebSocket } from 'ws'
import { ShellClient } from '../../../proxy/shell/client.ts'
import { ClientSocket } from '../../../proxy/shell/client-socket.ts'

class SocketDouble extends EventEmitter {
  readonly OPEN = 1
  readyState = 1
  isPaused = false
  bufferedAmount = 0
  readonly sent: unknown[] = []
  /** Of what the kernel has not taken. */
  readonly unsent: (() => void)[] = []
  send(data: unknown, ...more: unknown[]): void {
    this.sent.push(data)
    const done = more.at(-1)
    if (typeof done === 'function') this.unsent.push(done as () => void)
  }
  pause(): void {
    this.isPaused = true
  }
  resume(): void {
    this.isPaused = false
  }
}

function listening(socket: SocketDouble) {
  const client = new ShellClient(new ClientSocket(socket as unknown as WebSocket))
  const heard: unknown[] = []
  const listen = () =>
    client.attach({
      input: (bytes) => heard.push(['input', bytes.toString()]),
      resize: (size) => heard.push(['resize', size]),
      room: () => heard.push(['room']),
      violated: ({ code }) => heard.push([code]),
    })
  return { client, heard, listen }
}

const text = (socket: SocketDouble, message: unknown) => socket.emit('message', Buffer.from(String(message)), false)

t.test('sizes and acknowledgements', async (t) => {
  const socket = new SocketDouble()
  const { client, heard, listen } = listening(socket)
  listen()
  client.send(Buffer.alloc(10))
  for (const message of ['{"resize":{"cols":1,"rows":65535}}', '{"ack":4}', '{"ack":4}', '{"ack":10}'])
    text(socket, message)
  t.same(heard, [['resize', { cols: 1, rows: 65_535 }], ['room'], ['room'], ['room']])
})

t.test('anything else is a violation', async (t) => {
  const wrong = [
    '{"resize":{"cols":0,"rows":24}}',
    '{"resize":{"cols":80,"rows":65536}}',
    '{"resize":{"cols":80}}',
    '{"resize":{"cols":1.5,"rows":24}}',
    '{"resize":null}',
    '{"ack":11}',
    '{"ack":-1}',
    '{"ack":"4"}',
    '{"ack":4,"resize":{"cols":80,"rows":24}}',
    '{"exit":0}',
    '{"ping":"1"}',
    '{"resume":{"key":"x","received":0}}',
    '{}',
    '[]',
    'null',
    '4',
    '',
    '{"ack":',
    `{"ack":4,"x":"${'x'.repeat(2000)}"}`,
  ]
  for (const message of wrong) {
    const socket = new SocketDouble()
    const { client, heard, listen } = listening(socket)
    listen()
    client.send(Buffer.alloc(10))
    text(socket, message)
    t.same(heard, [['PROTOCOL_ERROR']], message.slice(0, 60))
  }
})

t.test('a ping is answered with what was typed, unless the answers are not read', async (t) => {
  const socket = new SocketDouble()
  const { listen, heard } = listening(socket)
  listen()
  socket.emit('message', Buffer.from('ls\r'), true)
  text(socket, '{"ping":7}')
  socket.bufferedAmount = 1024 * 1024
  text(socket, '{"ping":8}')
  t.same(socket.sent, ['{"pong":7,"typed":3}'])
  t.same(heard, [['input', 'ls\r']])
})

t.test('an acknowledgement cannot be withdrawn', async (t) => {
  const socket = new SocketDouble()
  const { client, heard, listen } = listening(socket)
  listen()
  client.send(Buffer.alloc(10))
  text(socket, '{"ack":10}')
  text(socket, '{"ack":9}')
  t.same(heard, [['room'], ['PROTOCOL_ERROR']])
})

t.test('what is typed ahead is kept up to a bound, and then not read', async (t) => {
  const socket = new SocketDouble()
  const { heard, listen } = listening(socket)
  socket.emit('message', Buffer.from('ls\r'), true)
  t.equal(socket.isPaused, false)
  socket.emit('message', Buffer.alloc(64 * 1024), true)
  t.equal(socket.isPaused, true)
  listen()
  t.equal(socket.isPaused, false)
  t.same(heard[0], ['input', 'ls\r'])
  t.equal(heard.length, 2)
})

t.test('small messages ahead are bounded too', async (t) => {
  const socket = new SocketDouble()
  listening(socket)
  for (let i = 0; i < 1024; i += 1) socket.emit('message', Buffer.from('x'), true)
  t.equal(socket.isPaused, true)
})

t.test('messages of one byte that nobody takes are bounded by their number', async (t) => {
  const socket = new SocketDouble()
  const { client, heard, listen } = listening(socket)
  listen()
  let sent = 0
  while (!client.isFull && sent < 100_000) {
    client.send(Buffer.from('x'))
    sent += 1
  }
  t.ok(sent <= 2048, `${sent} messages`)
  for (const done of socket.unsent.splice(0)) done()
  t.same(heard, [['room']], 'once they are taken')
  t.notOk(client.isFull)
})
