/** A PostgreSQL client that says exactly what a test wants, in whatever pieces; written by hand, not with our own encoder. */
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import type { Test } from 'tap'
import { until } from './engine-fixture.ts'

export interface Answer {
  /** Letter of the message. */
  readonly type: string
  readonly body: Buffer
}

export interface RawClient {
  readonly socket: Socket
  /** Everything that came so far. */
  readonly answers: Answer[]
  /** Bytes that came behind the last whole message. */
  readonly left: () => number
  send(...messages: readonly Buffer[]): void
  /** Waits for the n-th ReadyForQuery since the start, the one of the sign-in included; gives the letters of what came. */
  ready(n: number): Promise<string>
  closed: Promise<unknown>
}

const int16 = (value: number) => Buffer.from([value >> 8, value & 0xff])
export const int32 = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
export const cstring = (text: string) => Buffer.from(`${text}\0`)

/** Byte type, int32 length (itself included), body. */
export function message(type: string, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body])
}

export const query = (sql: string | Buffer) => message('Q', typeof sql === 'string' ? cstring(sql) : sql)
export const sync = message('S')
export const parse = (name: string, sql: string, oids: readonly number[] = []) =>
  message('P', cstring(name), cstring(sql), int16(oids.length), ...oids.map(int32))

export function bind(
  portal: string,
  statement: string,
  values: readonly (Buffer | null)[] = [],
  formats: readonly number[] = [],
): Buffer {
  const sized = values.flatMap((value) => (value === null ? [int32(-1)] : [int32(value.length), value]))
  const head = [cstring(portal), cstring(statement), int16(formats.length), ...formats.map(int16)]
  return message('B', ...head, int16(values.length), ...sized, int16(0))
}

export const execute = (portal: string, maxRows = 0) => message('E', cstring(portal), int32(maxRows))
export const close = (what: 'S' | 'P', name: string) => message('C', Buffer.from(what), cstring(name))
export const describe = (what: 'S' | 'P', name: string) => message('D', Buffer.from(what), cstring(name))
export const copyData = (text: string) => message('d', Buffer.from(text))
export const copyDone = message('c')

export interface RawOptions {
  /** Of protocol 3; default 0. */
  readonly minor?: number
  readonly database?: string
  /** Waits for the first ReadyForQuery by default. */
  readonly untilReady?: boolean
}

export async function connectRaw(t: Test, port: number, options: RawOptions = {}): Promise<RawClient> {
  const { minor = 0, database = 'orders', untilReady = true } = options
  const socket = connectTcp({ host: '127.0.0.1', port, noDelay: true })
  socket.on('error', () => {})
  t.teardown(() => socket.destroy())
  const answers: Answer[] = []
  let rest: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 5 && rest.length > rest.readUInt32BE(1)) {
      const end = 1 + rest.readUInt32BE(1)
      answers.push({ type: rest.toString('latin1', 0, 1), body: Buffer.from(rest.subarray(5, end)) })
      rest = rest.subarray(end)
    }
  })
  const readies = () => answers.filter(({ type }) => type === 'Z').length
  const client: RawClient = {
    socket,
    answers,
    left: () => rest.length,
    send: (...messages) => void socket.write(Buffer.concat(messages)),
    ready: async (n) => {
      await until(() => readies() >= n || socket.closed, `ReadyForQuery ${n}`)
      return answers.map(({ type }) => type).join('')
    },
    closed: once(socket, 'close'),
  }
  const startup = [int32((3 << 16) | minor), cstring('user'), cstring('anyone'), cstring('database'), cstring(database)]
  const body = Buffer.concat([...startup, Buffer.from([0])])
  await once(socket, 'connect')
  socket.write(Buffer.concat([int32(body.length + 4), body]))
  if (untilReady) await client.ready(1)
  return client
}

/** Sends messages, and waits until all of them are answered: each Query and each Sync among them by a ReadyForQuery. */
export async function exchange(client: RawClient, messages: readonly Buffer[]): Promise<void> {
  const before = client.answers.filter(({ type }) => type === 'Z').length
  client.send(...messages)
  await client.ready(before + messages.filter((sent) => /[QS]/.test(String.fromCharCode(sent[0] as number))).length)
}

/** Fields of the ErrorResponse that came last. */
export function lastError({ answers }: RawClient): Record<string, string> {
  const body = answers.findLast(({ type }) => type === 'E')?.body ?? Buffer.alloc(0)
  const fields = body.toString('utf8').split('\0').filter(Boolean)
  return Object.fromEntries(fields.map((field) => [field.charAt(0), field.slice(1)]))
}
