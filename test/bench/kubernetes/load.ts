/** Clients that ask for the same thing again and again, each on a connection of its own, without more of HTTP than that takes. */
import { once } from 'node:events'
import { connect, type SecureContext, type TLSSocket } from 'node:tls'
import { cpuNanoseconds } from '../cpu.ts'
import type { Target } from '../rounds.ts'

export interface ApiTarget extends Target {
  readonly port: number
  readonly serverName: string
  readonly secureContext: SecureContext
  /** Before the path of the API server. */
  readonly prefix: string
  readonly token: string
}

export const pod = '/api/v1/namespaces/shop/pods/web-1'
export const podList = '/api/v1/namespaces/shop/pods'
export const podWatch = '/api/v1/namespaces/shop/pods?watch=true'

const podExec = `${pod}/exec?command=true&stdout=true`
/** The last frame of an exec. */
const closeFrame = Buffer.from([0x88, 2, 0x03, 0xe8])

interface Answers {
  readonly answers: number
  readonly bytes: number
}

interface Done extends Answers {
  readonly seconds: number
}

/** @throws Error when an answer is not 200 */
export async function ask(target: ApiTarget, path: string, connections: number, seconds: number): Promise<Done> {
  await using clients = await openAll(target, connections)
  const since = performance.now()
  const until = since + seconds * 1000
  const done = await clients.repeat(path, () => performance.now() < until)
  return { ...done, seconds: (performance.now() - since) / 1000 }
}

async function openAll(target: ApiTarget, connections: number) {
  const clients = await Promise.all(Array.from({ length: connections }, () => open(target)))
  return {
    repeat: async (path: string, mayGoOn: () => boolean): Promise<Answers> => {
      const done = await Promise.all(clients.map((client) => repeat(client, target, path, mayGoOn)))
      const sum = (of: keyof Answers) => done.reduce((total, one) => total + one[of], 0)
      return { answers: sum('answers'), bytes: sum('bytes') }
    },
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.destroy()
    },
  }
}

/** Of the process between, in microseconds for each of so many answers, however long they take; without the opening of the connections. */
export async function cpuPerAnswer(
  target: ApiTarget,
  path: string,
  connections: number,
  most: number,
): Promise<number> {
  await using clients = await openAll(target, connections)
  await clients.repeat(path, () => false)
  const before = cpuNanoseconds(target.pid)
  let asked = connections
  const { answers } = await clients.repeat(path, () => {
    asked += 1
    return asked <= most
  })
  return (cpuNanoseconds(target.pid) - before) / 1000 / answers
}

/** Execs one after the other on so many connections at a time, each on one of its own, as kubectl has them. @throws Error when one is refused */
export async function exec(target: ApiTarget, atOnce: number, seconds: number): Promise<Done> {
  const since = performance.now()
  const until = since + seconds * 1000
  let [answers, bytes] = [0, 0]
  const one = async () => {
    while (performance.now() < until) {
      bytes += await runExec(target)
      answers += 1
    }
  }
  await Promise.all(Array.from({ length: atOnce }, one))
  return { answers, bytes, seconds: (performance.now() - since) / 1000 }
}

/** From its connection to its end. @returns bytes that came */
async function runExec(target: ApiTarget): Promise<number> {
  const socket = await open(target)
  const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']
  upgrade.push('Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Protocol: v5.channel.k8s.io')
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  let got = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    got = Buffer.concat([got, chunk])
    if (!got.toString('latin1', 0, 13).startsWith('HTTP/1.1 101 '.slice(0, got.length)))
      reject(new Error(`not an upgrade: ${got.toString('latin1', 0, 500)}`))
    if (got.subarray(-closeFrame.length).equals(closeFrame)) resolve(got.length)
  })
  socket.on('error', reject).on('close', () => reject(new Error('the connection was closed')))
  socket.write(encode(target, podExec, upgrade))
  try {
    return await promise
  } finally {
    socket.destroy()
  }
}

/** A watch whose first event has come. */
export async function watch(target: ApiTarget): Promise<{ close(): void }> {
  const socket = await open(target)
  socket.write(encode(target, podWatch))
  let text = ''
  while (!text.includes('BOOKMARK')) {
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    text += chunk.toString('latin1')
    if (!text.startsWith('HTTP/1.1 200 ')) throw new Error(text.slice(0, 300))
  }
  return { close: () => void socket.destroy() }
}

async function open({ port, serverName: servername, secureContext }: ApiTarget): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, servername, secureContext })
  await once(socket, 'secureConnect')
  socket.setNoDelay(true)
  return socket
}

function encode({ prefix, token }: ApiTarget, path: string, more: readonly string[] = []): Buffer {
  const lines = ['Host: cluster', `Authorization: Bearer ${token}`, 'User-Agent: bench', 'Accept: application/json']
  return Buffer.from([`GET ${prefix}${path} HTTP/1.1`, ...lines, ...more, '', ''].join('\r\n'))
}

/** Asks once, and then as long as it may. */
function repeat(socket: TLSSocket, target: ApiTarget, path: string, mayGoOn: () => boolean): Promise<Answers> {
  const request = encode(target, path)
  const { promise, resolve, reject } = Promise.withResolvers<Answers>()
  let answers = 0
  let bytes = 0
  /** Of the answer that comes; −1: its head is still to come. */
  let left = -1
  const lost = () => reject(new Error('the connection was closed'))
  const take = (chunk: Buffer) => {
    bytes += chunk.length
    if (left < 0) {
      const end = chunk.indexOf('\r\n\r\n')
      const head = chunk.toString('latin1', 0, Math.max(end, 0))
      const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
      if (!head.startsWith('HTTP/1.1 200 ') || length === undefined) {
        reject(new Error(`not an answer: ${chunk.toString('latin1', 0, 300)}`))
        return
      }
      left = Number(length) - (chunk.length - end - 4)
    } else left -= chunk.length
    if (left > 0) return
    left = -1
    answers += 1
    if (mayGoOn()) {
      socket.write(request)
      return
    }
    socket.off('data', take).off('close', lost).off('error', lost)
    resolve({ answers, bytes })
  }
  socket.on('data', take).on('close', lost).on('error', lost)
  socket.write(request)
  return promise
}
