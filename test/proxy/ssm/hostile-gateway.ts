import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { type WebSocket, WebSocketServer } from 'ws'
import type { ChannelListener, ChannelOptions } from '../../../proxy/ssm/channel.ts'
import { buildFrame } from '../../sandbox/ssm/frames.ts'

/** A gateway that does to each websocket what it is told, once the client has opened the data channel. */
export async function startHostileGateway(t: Test, serve: (socket: WebSocket, count: number) => void) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  const counts = { opened: 0, tickets: 0 }
  t.teardown(() => {
    for (const socket of server.clients) socket.terminate()
    server.close()
  })
  server.on('connection', (socket) => {
    socket.on('error', () => {})
    counts.opened += 1
    const count = counts.opened
    socket.once('message', () => serve(socket, count))
  })
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
  const ticket: ChannelOptions['ticket'] = async () => {
    counts.tickets += 1
    return { url, token: 'token', headers: {} }
  }
  return { ticket, counts }
}

export function serviceMessage(type: string): Buffer {
  const frame = { type, sequence: 0, flags: 3, id: randomUUID(), payloadType: 0, payload: Buffer.from(' ') }
  return buildFrame(frame, Date.now())
}

/** Of the agent. */
export function dataMessage(sequence: number, payloadType: number, payload: Buffer | string): Buffer {
  const type = 'output_stream_data'
  const frame = { type, sequence, flags: 0, id: randomUUID(), payloadType, payload: Buffer.from(payload) }
  return buildFrame(frame, Date.now())
}

export function acknowledgementOf(sequence: number): Buffer {
  const payload = JSON.stringify({
    AcknowledgedMessageType: 'input_stream_data',
    AcknowledgedMessageId: randomUUID(),
    AcknowledgedMessageSequenceNumber: sequence,
    IsSequentialMessage: true,
  })
  const frame = { type: 'acknowledge', sequence: 0, flags: 3, id: randomUUID(), payloadType: 0 }
  return buildFrame({ ...frame, payload: Buffer.from(payload) }, Date.now())
}

export const ignoring: ChannelListener = { ready() {}, data: () => true, room() {}, away() {}, ended() {} }

/** As of an agent that carries connections; sequence numbers 0 and 1. */
export function portHandshake(socket: WebSocket): void {
  const session = { ActionType: 'SessionType', ActionParameters: { SessionType: 'Port', Properties: {} } }
  socket.send(dataMessage(0, 5, JSON.stringify({ AgentVersion: '3.3.987.0', RequestedClientActions: [session] })))
  const isResponse = (bytes: Buffer) => bytes.toString('latin1', 4, 9) === 'input' && bytes.readUInt32BE(112) === 6
  socket.on('message', (bytes: Buffer) => {
    if (isResponse(bytes)) socket.send(dataMessage(1, 7, '{"HandshakeTimeToComplete":1}'))
  })
}
