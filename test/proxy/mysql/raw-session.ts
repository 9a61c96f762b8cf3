/** A client behind the local proxy, by the byte: signed in, and then what a test wants. */
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import type { Test } from 'tap'
import { greetingOf, int32, type LoginWords, login, Packets, packet } from './raw-client.ts'

export const command = (first: number, ...rest: readonly Buffer[]) => packet(0, Buffer.from([first]), ...rest)
export const query = (sql: string) => command(0x03, Buffer.from(sql))
export const prepare = (sql: string) => command(0x16, Buffer.from(sql))
/** int<4> id, int<1> flags (1: a cursor that only reads), int<4> 1. */
export const execute = (id: number, flags = 0) => command(0x17, int32(id), Buffer.from([flags]), int32(1))
/** int<4> id, int<4> rows. */
export const fetch = (id: number, rows: number) => command(0x1c, int32(id), int32(rows))

export interface RawSession {
  readonly socket: Socket
  readonly packets: Packets
  readonly greeting: ReturnType<typeof greetingOf>
  /** First packet after the proof: the OK, or why there is none. */
  readonly answer: () => Promise<{ readonly sequence: number; readonly payload: Buffer }>
  send(...bytes: readonly Buffer[]): void
}

/** Through the sign-in up to the proof, which any password is; `answer` waits for what follows. */
export async function openRaw(t: Test, port: number, words: LoginWords = {}): Promise<RawSession> {
  const socket = connectTcp({ host: '127.0.0.1', port, noDelay: true })
  socket.on('error', () => {})
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  const packets = new Packets(socket)
  const greeting = greetingOf((await packets.next()).payload)
  socket.write(packet(1, login({ database: 'orders', ...words })))
  await packets.next()
  return {
    socket,
    packets,
    greeting,
    answer: () => packets.next(),
    send: (...bytes) => void socket.write(Buffer.concat(bytes)),
  }
}

/** The same, once it is open. */
export async function openSession(t: Test, port: number, words: LoginWords = {}): Promise<RawSession> {
  const session = await openRaw(t, port, words)
  const { payload } = await session.answer()
  if (payload[0] !== 0) throw new Error(`not let in: ${payload.toString('latin1')}`)
  return session
}

/** Packets up to the end of the next result set, the ends of columns and rows (0xFE, 5 bytes) included. */
export async function readRows({ packets }: RawSession): Promise<Buffer[]> {
  const all: Buffer[] = []
  for (let ends = 0; ends < 2; ) {
    const { payload } = await packets.next()
    all.push(payload)
    if (payload[0] === 0xff) break
    if (payload[0] === 0xfe && payload.length < 9) ends += 1
  }
  return all
}

/** Reads what is left, and checks that the ids of an answer run on. @returns its last packet */
export function lastOf({ packets }: Pick<RawSession, 'packets'>, from: number) {
  const answer = packets.all.slice(from)
  const isInOrder = answer.every(({ sequence }, at) => sequence === ((answer[0]?.sequence ?? 0) + at) % 256)
  return { last: answer.at(-1), isInOrder, count: answer.length }
}
