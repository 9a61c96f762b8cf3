/**
 * The least of a MySQL server, as the broker is behind a websocket, its bytes written by hand from the documentation. It takes any
 * password. Statements: `row TEXT` gives one row; `big N` N rows of 1 KiB; `wait` runs until `KILL QUERY` names its thread;
 * `cut REASON` is cut in mid-session; `vanish` loses the connection; any other gets OK.
 */
import type { WebSocket } from 'ws'
import type { FakeBroker } from '../fake-broker.ts'

export interface MysqlLogin {
  readonly capabilities: number
  readonly user: string
  readonly database: string
  readonly plugin: string
  /** Bytes of its proof, the last that it gave. */
  readonly answerBytes: number
  readonly attributes: string
}

const le = (bytes: number, value: number) => {
  const buffer = Buffer.alloc(bytes)
  buffer.writeUIntLE(value, 0, bytes)
  return buffer
}
const packet = (sequence: number, ...parts: Buffer[]) => {
  const payload = Buffer.concat(parts)
  return Buffer.concat([le(3, payload.length), le(1, sequence), payload])
}
const zero = Buffer.from([0])
const text = (value: string) => Buffer.concat([Buffer.from(value), zero])
/** Length-encoded, below 64 KiB. */
const string = (value: string) => {
  const length = Buffer.byteLength(value)
  return Buffer.concat([
    length < 251 ? le(1, length) : Buffer.concat([Buffer.from([0xfc]), le(2, length)]),
    Buffer.from(value),
  ])
}
const scrambles = ['abcdefghijklmnopqrst', 'ABCDEFGHIJKLMNOPQRST'] as const
/** LONG_PASSWORD, FOUND_ROWS, LONG_FLAG, CONNECT_WITH_DB, LOCAL_FILES, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, MULTI_*, PLUGIN_AUTH, CONNECT_ATTRS, LENENC. */
const offered = 0x003f_a28f

const greeting = (threadId: number) =>
  packet(
    0,
    Buffer.from([10]),
    text('8.0.99-fake'),
    le(4, threadId),
    Buffer.from(scrambles[0].slice(0, 8)),
    zero,
    le(2, offered & 0xffff),
    Buffer.from([45]), // utf8mb4_general_ci
    le(2, 2), // autocommit
    le(2, offered >>> 16),
    Buffer.from([21]),
    Buffer.alloc(10),
    text(scrambles[0].slice(8)),
    text('caching_sha2_password'),
  )
const ok = (sequence: number) => packet(sequence, Buffer.from([0, 0, 0, 2, 0, 0, 0]))
const error = (sequence: number, number: number, state: string, message: string) =>
  packet(sequence, Buffer.from([0xff]), le(2, number), Buffer.from(`#${state}${message}`))
const eof = (sequence: number) => packet(sequence, Buffer.from([0xfe, 0, 0, 2, 0]))
/** One column named `c`, utf8mb4 text. */
const column = (sequence: number) =>
  packet(
    sequence,
    ...['def', '', '', '', 'c', ''].map(string),
    Buffer.from([12]),
    le(2, 45),
    le(4, 4096),
    Buffer.from([0xfd]),
    Buffer.alloc(5),
  )
const head = () => Buffer.concat([packet(1, Buffer.from([1])), column(2), eof(3)])

interface Client {
  readonly broker: FakeBroker
  readonly ws: WebSocket
  readonly threadId: number
}

export function serveMysql(broker: FakeBroker, ws: WebSocket): void {
  const client: Client = { broker, ws, threadId: 7000 + broker.asked.length }
  let pending = Buffer.alloc(0)
  let onPacket = awaitLogin(client, () => {
    onPacket = (_, payload) => void command(client, payload)
  })
  broker.sockets.add(ws)
  ws.on('close', () => broker.sockets.delete(ws))
  ws.on('error', () => {})
  ws.on('message', (data: Buffer, isBinary) => {
    if (!isBinary) throw new Error('a text message came')
    pending = Buffer.concat([pending, data])
    while (pending.length >= 4 && pending.length >= 4 + pending.readUIntLE(0, 3)) {
      const end = 4 + pending.readUIntLE(0, 3)
      const [sequence = 0, payload] = [pending[3], pending.subarray(4, end)]
      pending = pending.subarray(end)
      onPacket(sequence, payload)
    }
  })
  if (broker.hangsUp) ws.close(1000)
  else ws.send(greeting(client.threadId))
}

type OnPacket = (sequence: number, payload: Buffer) => void

function awaitLogin(client: Client, done: () => void): OnPacket {
  const { ws } = client
  let login: MysqlLogin | undefined
  return (sequence, payload) => {
    if (login === undefined) {
      if (sequence !== 1) throw new Error(`the login has number ${sequence}`)
      login = readLogin(payload)
      if (!['caching_sha2_password', 'mysql_clear_password'].includes(login.plugin))
        return ws.send(packet(2, Buffer.from([0xfe]), text('caching_sha2_password'), text(scrambles[1])))
    } else {
      if (sequence !== 3) throw new Error(`the answer has number ${sequence}`)
      login = { ...login, answerBytes: payload.length }
    }
    finish(client, login, sequence + 1, done)
  }
}

function finish({ broker, ws }: Client, login: MysqlLogin, sequence: number, done: () => void): void {
  let next = sequence
  if (login.answerBytes > 1 && login.plugin !== 'mysql_clear_password') ws.send(packet(next++, Buffer.from([1, 3])))
  if (broker.deny) {
    const { code, message, hint } = broker.deny
    ws.send(error(next, 1045, '28000', `${message}${hint ? `. ${hint}` : ''} (Sallyport error ${code})`))
    ws.close(1000)
    return
  }
  broker.logins.push(login)
  ws.send(ok(next))
  done()
}

function readLogin(payload: Buffer): MysqlLogin {
  const capabilities = payload.readUInt32LE(0)
  let at = 32
  const cstring = () => {
    const end = payload.indexOf(0, at)
    const value = payload.toString('utf8', at, end)
    at = end + 1
    return value
  }
  const user = cstring()
  const answerBytes = payload[at] ?? 0 // below 251, so one byte either way
  at += 1 + answerBytes
  const database = (capabilities & 0x8) === 0 ? '' : cstring()
  const plugin = cstring()
  return { capabilities, user, database, plugin, answerBytes, attributes: payload.toString('latin1', at) }
}

async function command({ broker, ws, threadId }: Client, payload: Buffer): Promise<void> {
  if (payload[0] === 0x01) {
    broker.terminates++
    if (broker.closesItself) ws.close(1000)
    return
  }
  if (payload[0] !== 0x03) return ws.send(ok(1))
  const [, verb = '', rest = ''] = /^(\w+) ?(.*?);?$/s.exec(payload.toString('utf8', 1)) ?? []
  const killed = /^KILL QUERY (\d+)$/i.exec(payload.toString('utf8', 1))
  if (killed) {
    broker.waiting.get(Number(killed[1]))?.()
    ws.send(ok(1))
  } else if (verb === 'row') ws.send(Buffer.concat([head(), packet(4, string(rest)), eof(5)]))
  else if (verb === 'big') await big(broker, ws, Number(rest))
  else if (verb === 'wait')
    broker.waiting.set(threadId, () => ws.send(error(1, 1317, '70100', 'Query execution was interrupted')))
  else if (verb === 'cut') {
    ws.send(error(1, 1053, '08S01', 'access was revoked by bob@example.com'))
    ws.close(4001, rest)
  } else if (verb === 'vanish') ws.terminate()
  else ws.send(ok(1))
}

async function big(broker: FakeBroker, ws: WebSocket, rows: number): Promise<void> {
  ws.send(head())
  const value = string('x'.repeat(1017))
  for (let i = 0; i < rows; i++) {
    if (ws.readyState !== ws.OPEN) return
    broker.written += 4 + value.length
    await new Promise<void>((resolve) => ws.send(packet((4 + i) & 0xff, value), () => resolve()))
  }
  ws.send(eof((4 + rows) & 0xff))
}
