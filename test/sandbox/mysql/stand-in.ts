import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { createReader } from '../rds-startup.ts'
import type { MariaDb } from './mariadb.ts'
import { backendPassword, iamUsers } from './seed.ts'
import { encodeError, encodeGreeting, encodePacket, ok, readPacket, readResponse } from './startup.ts'

/**
 * Stands in for MariaDB in the demo where its server is not installed, behind the same RDS double: it knows the few statements below,
 * and says so to every other. It keeps nothing, and lets in anyone who reaches its socket, which is in a folder of ours alone.
 */
const version = '10.11.0-stand-in-MariaDB'
const known = 'select 1, select @@version, select sleep(N), select id, status from orders, and KILL'
/** What servers have had since MariaDB 10.2, but TLS: FOUND_ROWS … PS_MULTI_RESULTS, PLUGIN_AUTH, attributes, session tracking. */
const capabilities = 0xbf_a7ce
/** The first rows of the real one. */
const orders = [
  ['1', 'delivered'],
  ['2', 'shipped'],
  ['3', 'returned'],
]

interface Thread {
  readonly id: number
  readonly socket: Socket
  readonly user: string
  readonly session: string | null
  /** What it runs; empty: nothing. */
  sql: string
  /** Interrupts that. */
  stop(): void
}

type Threads = Map<number, Thread>

export async function startStandIn(): Promise<MariaDb> {
  const home = mkdtempSync(path.join(os.tmpdir(), 'sallyport-my-'))
  const socketPath = path.join(home, 's')
  const threads: Threads = new Map()
  let lastId = 0
  const server = createServer((socket) => {
    const id = ++lastId
    socket.on('error', () => {}).on('close', () => threads.delete(id))
    serve(socket, id, threads).catch(() => socket.destroy()) // the client left, or violated the protocol
  })
  await once(server.listen(socketPath), 'listening')
  return {
    socketPath,
    tcpPort: null,
    version,
    pid: process.pid,
    password: backendPassword,
    isIamUser: (user) => (iamUsers as readonly string[]).includes(user),
    addIamUser: () => Promise.reject(new Error('the stand-in makes no users')),
    query: async (sql, [pattern] = []) => {
      if (!sql.includes('processlist')) throw new Error(`the stand-in knows ${known}`)
      const wanted = String(pattern).replaceAll('%', '')
      return [...threads.values()].flatMap(({ id, sql: runs }) => (runs.includes(wanted) ? [{ id }] : []))
    },
    close: async () => {
      const closed = once(server.close(), 'close')
      for (const { socket } of threads.values()) socket.destroy()
      await closed
      rmSync(home, { recursive: true, force: true })
    },
  }
}

async function serve(socket: Socket, id: number, threads: Threads): Promise<void> {
  const reader = createReader(socket)
  const shown = { version, threadId: id, capabilities, charset: 45, status: 2, plugin: 'mysql_native_password' }
  const greeting = encodeGreeting({ ...shown, scramble: Buffer.alloc(20, 's'), reserved: Buffer.alloc(10) })
  socket.write(encodePacket(0, greeting))
  const { sequence, payload } = await readPacket(reader)
  const login = readResponse(payload)
  if (login.type === 'ssl') throw new Error('asks for TLS that was not offered')
  const session = login.attributes.get('_sallyport_session') ?? null
  const thread: Thread = { id, socket, user: login.user, session, sql: '', stop: () => {} }
  threads.set(id, thread)
  socket.write(encodePacket(sequence + 1, ok))
  for (;;) {
    const command = (await readPacket(reader)).payload
    if (command[0] === 0x01) return void socket.end()
    thread.sql = command[0] === 0x03 ? command.toString('utf8', 1).trim() : ''
    const isPlain = [0x02, 0x0e, 0x1f].includes(command[0] ?? 0) // INIT_DB, PING, RESET_CONNECTION
    const packets = isPlain ? [ok] : [await answerTo(thread, threads)].flat()
    thread.sql = ''
    socket.write(Buffer.concat(packets.map((one, at) => encodePacket(at + 1, one))))
  }
}

/** One packet, or those of a result. */
async function answerTo(thread: Thread, threads: Threads): Promise<Buffer | Buffer[]> {
  const { sql, user } = thread
  const [, asked] = /^select (1|@@version)$/i.exec(sql) ?? []
  if (asked) return result([asked], [[asked === '1' ? asked : version]])
  const listed = /^select id, status from orders(?: order by id)?(?: limit (\d+))?$/i.exec(sql)
  if (listed) return result(['id', 'status'], orders.slice(0, Number(listed[1] ?? orders.length)))
  const [, seconds] = /^select sleep\((\d{1,5})\)$/i.exec(sql) ?? []
  if (seconds) return await sleep(thread, Number(seconds))
  const [, kind, killed] = /^kill (query |connection |)(\d+)$/i.exec(sql) ?? []
  if (killed) return kill(threads.get(Number(killed)), /query/i.test(kind ?? ''))
  if (/^SELECT .*@@global\.server_id/.test(sql)) return describe(sql, thread, threads)
  const [, verb, table] = /^(insert|update|delete)(?: into| from)? (\w+)/i.exec(sql) ?? []
  const denied = `${verb?.toUpperCase()} command denied to user '${user}'@'localhost' for table \`${table}\``
  if (verb && user === 'sallyport_ro') return encodeError(1142, '42000', denied)
  return encodeError(1235, '42000', `This is a small stand-in for MariaDB: it knows ${known}`)
}

function sleep(thread: Thread, seconds: number): Promise<Buffer | Buffer[]> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(result(['sleep'], [['0']])), seconds * 1000)
    thread.stop = () => {
      clearTimeout(timer)
      resolve(encodeError(1317, '70100', 'Query execution was interrupted'))
    }
    thread.socket.once('close', thread.stop)
  })
}

function kill(thread: Thread | undefined, isQuery: boolean): Buffer {
  if (!thread) return encodeError(1094, 'HY000', 'Unknown thread id')
  if (isQuery) thread.stop()
  else thread.socket.destroy()
  return ok
}

/** What the broker asks of its own connection, and of the thread that it is about to end. */
function describe(sql: string, own: Thread, threads: Threads): Buffer[] {
  const thread = threads.get(Number(/p\.ID = (\d+)/.exec(sql)?.[1] ?? own.id))
  const about = ['1 stand-in', thread ? 'localhost' : null, thread?.session ?? null]
  const row = sql.startsWith('SELECT CONNECTION_ID()') ? [String(own.id), ...about] : about
  return result(Object.keys(row), [row])
}

/** A result set: columns of digits are INT, others texts. */
function result(names: readonly string[], rows: readonly (readonly (string | null)[])[]): Buffer[] {
  const eof = Buffer.from([0xfe, 0, 0, 2, 0])
  const typeOf = (at: number) => (rows.every((row) => /^\d+$/.test(row[at] ?? '')) ? 3 : 0xfd)
  const fixed = (at: number) => Buffer.from([12, 45, 0, 0, 4, 0, 0, typeOf(at), 0, 0, 0, 0, 0])
  const columns = names.map((name, at) => Buffer.concat([...['def', '', '', '', name, name].map(textOf), fixed(at)]))
  return [Buffer.from([names.length]), ...columns, eof, ...rows.map((row) => Buffer.concat(row.map(textOf))), eof]
}

/** Below 251 bytes. */
function textOf(value: string | null): Buffer {
  return Buffer.from(value === null ? [0xfb] : [Buffer.byteLength(value), ...Buffer.from(value)])
}
