/** What becomes of what was written when a channel is closed, paused, or over. */
import t from 'tap'
import type { WebSocket } from 'ws'
import { BrokerError } from '../../../proxy/session.ts'
import type { ChannelOptions } from '../../../proxy/ssm/channel.ts'
import { ChannelStream } from '../../../proxy/ssm/channel-stream.ts'
import { DataChannel } from '../../../proxy/ssm/data-channel.ts'
import { quietFor, waitUntil } from '../../wait-until.ts'
import { acknowledgementOf, dataMessage, ignoring, startHostileGateway } from './hostile-gateway.ts'

const isInput = (bytes: Buffer) => bytes.toString('latin1', 4, 9) === 'input'
const sequenceOf = (bytes: Buffer) => Number(bytes.readBigInt64BE(48))

t.test(
  '12.14, 12.15: the end of what is written, while the connection is lost: it is sent again, then the session ends',
  async (t) => {
    const sockets: WebSocket[] = []
    let first = 0
    const second = new Map<number, Buffer>()
    const { ticket } = await startHostileGateway(t, (socket, count) => {
      sockets.push(socket)
      if (count === 1) socket.send(dataMessage(0, 1, 'prompt'))
      socket.on('message', (bytes: Buffer) => {
        if (!isInput(bytes)) return
        if (count === 1) first += bytes.length - 120
        else {
          second.set(sequenceOf(bytes), bytes.subarray(120))
          socket.send(acknowledgementOf(sequenceOf(bytes)))
        }
      })
    })
    const back = Promise.withResolvers<void>()
    let tickets = 0
    const late: ChannelOptions['ticket'] = async (signal) => {
      tickets += 1
      if (tickets === 2) await back.promise
      return ticket(signal)
    }
    const stream = new ChannelStream({ ticket: late })
    t.teardown(() => stream.destroy())
    stream.resume().write(Buffer.alloc(100_000))
    await waitUntil(() => first === 100_000, 'it was all sent')
    sockets[0]?.close(1000, 'Bye')
    await waitUntil(() => tickets === 2, 'the connection is lost')
    const finished = new Promise<void>((resolve) => void stream.once('finish', resolve))
    stream.end()
    back.resolve()
    await finished
    const sent = [...second].sort(([a], [b]) => a - b).map(([, payload]) => payload)
    t.same(sent.pop(), Buffer.from([0, 0, 0, 2]), 'the last is the flag')
    t.equal(Buffer.concat(sent).length, 100_000)
  },
)

t.test('12.15: a session that cannot be told of its end says so', async (t) => {
  const { ticket } = await startHostileGateway(t, (socket) => {
    socket.send(dataMessage(0, 1, 'prompt'))
    socket.close(1000, 'Bye')
  })
  let tickets = 0
  const once: ChannelOptions['ticket'] = (signal) => {
    tickets += 1
    return tickets === 1 ? ticket(signal) : Promise.reject(new BrokerError('AWS_UNAVAILABLE'))
  }
  const channel = new DataChannel({ ticket: once }, ignoring)
  await waitUntil(() => tickets > 1, 'the connection is lost')
  t.equal(await channel.close(50), false)
  t.equal(await channel.close(50), false, 'asked again')
})

t.test('a reader that pauses: what was written is not sent again, since no acknowledgement is read', async (t) => {
  const received: number[] = []
  const { ticket } = await startHostileGateway(t, (socket) => {
    socket.send(dataMessage(0, 1, 'prompt'))
    socket.on('message', (bytes: Buffer) => {
      if (isInput(bytes)) received.push(sequenceOf(bytes))
    })
  })
  const channel = new DataChannel({ ticket }, { ...ignoring, data: () => false })
  t.teardown(() => channel.destroy())
  await waitUntil(() => channel.hasRoom, 'it has begun')
  channel.send(1, Buffer.from('x'))
  await waitUntil(() => received.length > 0, 'it was sent')
  await quietFor(500, 'nothing is sent again')
  t.same(received, [0])
  channel.resume()
  await waitUntil(() => received.length > 1, 'it is sent again')
})

t.test('a data key that comes after the end starts nothing', async (t) => {
  const request = {
    AgentVersion: '3.3.987.0',
    RequestedClientActions: [
      { ActionType: 'SessionType', ActionParameters: { SessionType: 'Standard_Stream', Properties: null } },
      { ActionType: 'KMSEncryption', ActionParameters: { KMSKeyId: 'key' } },
    ],
  }
  const { ticket } = await startHostileGateway(t, (socket) => socket.send(dataMessage(0, 5, JSON.stringify(request))))
  const asked = Promise.withResolvers<void>()
  const key = Promise.withResolvers<{ plaintext: Buffer; ciphertext: Buffer }>()
  const dataKey = () => {
    asked.resolve()
    return key.promise
  }
  const channel = new DataChannel({ ticket, dataKey }, ignoring)
  await asked.promise
  channel.destroy()
  const started = t.capture(globalThis, 'setInterval', globalThis.setInterval)
  key.resolve({ plaintext: Buffer.alloc(64), ciphertext: Buffer.from('x') })
  await new Promise((resolve) => void setImmediate(resolve))
  t.same(started(), [])
})
