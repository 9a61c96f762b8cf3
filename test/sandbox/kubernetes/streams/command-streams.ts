import { PassThrough, type Readable, Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { StreamFaults } from './faults.ts'
import type { SpdyConnection, SpdyStream } from './spdy-connection.ts'
import { dataHeader } from './spdy-frames.ts'
import { type AcceptedWebSocket, sendMessage } from './web-sockets.ts'

/** What exec and attach need of a transport. Streams that the client did not ask for are null. */
export interface CommandStreams {
  readonly stdin: Readable | null
  readonly stdout: Writable | null
  readonly stderr: Writable | null
  /** One JSON object for each change: `{"Width":80,"Height":24}`. */
  readonly resize: Readable | null
  /** Resolves when the client is gone. */
  readonly closed: Promise<void>
  /** Ends all, as `faults.ending` says. @param status a `Status`, which comes behind all output */
  finish(status: object): Promise<void>
}

export interface AskedStreams {
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly tty: boolean
}

const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const

/** `v4.channel.k8s.io`, its form in base64, and `v5.channel.k8s.io`, in which the client can end a channel. */
export function streamsOverWebSocket(
  { socket, raw, protocol }: AcceptedWebSocket,
  asked: AskedStreams,
  faults: StreamFaults,
): CommandStreams {
  const isBase64 = protocol.includes('base64')
  const inputs = new Map<number, PassThrough>()
  if (asked.stdin) inputs.set(channel.stdin, new PassThrough())
  if (asked.tty) inputs.set(channel.resize, new PassThrough())
  const send = (to: number, data: Buffer, done: (error?: Error | null) => void) => {
    const message = isBase64 ? `${to}${data.toString('base64')}` : Buffer.concat([Buffer.of(to), data])
    sendMessage(socket, message, faults.fragmentBytes, done)
  }
  socket.on('message', (message: Buffer) => {
    const to = (message[0] ?? 0) - (isBase64 ? 0x30 : 0)
    const data = isBase64 ? Buffer.from(message.toString('latin1', 1), 'base64') : message.subarray(1)
    if (protocol.startsWith('v5') && to === channel.close) inputs.get(data[0] ?? -1)?.end()
    else if (inputs.get(to)?.write(data) === false) {
      socket.pause()
      inputs.get(to)?.once('drain', () => socket.resume())
    }
  })
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      for (const input of inputs.values()) input.destroy()
      resolve()
    })
  })
  const output = (to: number) =>
    new Writable({ write: (data: Buffer, _encoding, done) => send(to, data, done) }).on('error', () => {}) // the client is gone
  const stdout = asked.stdout ? output(channel.stdout) : null
  const stderr = asked.stderr && !asked.tty ? output(channel.stderr) : null
  // Tells the client that the streams are there.
  send(asked.stdout ? channel.stdout : stderr ? channel.stderr : channel.error, Buffer.alloc(0), () => {})
  return {
    stdin: inputs.get(channel.stdin) ?? null,
    stdout,
    stderr,
    resize: inputs.get(channel.resize) ?? null,
    closed,
    finish: async (status) => {
      await endAll([stdout, stderr])
      if (faults.ending === 'status')
        await new Promise<void>((resolve) => send(channel.error, jsonOf(status), () => resolve()))
      if (faults.ending === 'overlong') raw.end(Buffer.from([0x82, 126, 0x7f, 0xff, channel.error, 0x7b]))
      else if (faults.ending === 'cut') raw.end()
      else if (faults.ending === 'reset') raw.destroy()
      else if (faults.ending !== 'half') socket.close(1000)
    },
  }
}

/** Streams of SPDY by their `streamtype`; resolves when all are there. @returns null: the client left before */
export async function streamsOverSpdy(
  open: (onStream: (stream: SpdyStream) => void) => SpdyConnection,
  asked: AskedStreams,
  faults: StreamFaults,
): Promise<CommandStreams | null> {
  const wanted = ['error', ...(asked.stdin ? ['stdin'] : []), ...(asked.stdout ? ['stdout'] : [])]
  if (asked.stderr && !asked.tty) wanted.push('stderr')
  if (asked.tty) wanted.push('resize')
  const streams = new Map<string, SpdyStream>()
  let connection: SpdyConnection | undefined
  await new Promise<void>((resolve) => {
    connection = open((stream) => {
      if (!wanted.includes(stream.streamType) || streams.has(stream.streamType)) {
        if (connection) connection.violation ??= `a stream of the type ${JSON.stringify(stream.streamType)}`
        stream.destroy()
        return
      }
      streams.set(stream.streamType, stream)
      if (streams.size === wanted.length) resolve()
    })
    void connection.closed.then(resolve)
  })
  const spdy = connection as unknown as SpdyConnection
  if (streams.size < wanted.length) return null
  const [stdout, stderr, error] = ['stdout', 'stderr', 'error'].map((type) => streams.get(type) ?? null)
  for (const stream of [stdout, stderr, error]) stream?.resume() // clients write nothing there
  return {
    stdin: streams.get('stdin') ?? null,
    stdout: stdout ?? null,
    stderr: stderr ?? null,
    resize: streams.get('resize') ?? null,
    closed: spdy.closed,
    finish: async (status) => {
      await endAll([stdout ?? null, stderr ?? null])
      if (faults.ending === 'status') error?.write(jsonOf(status))
      if (faults.ending === 'status' || faults.ending === 'close') {
        error?.end()
        await endAll([error ?? null])
        await spdy.end()
      } else if (faults.ending === 'overlong') {
        await spdy.send(Buffer.concat([dataHeader(error?.id ?? 1, 0xff_ffff), Buffer.from('{')]))
        spdy.cut()
      } else if (faults.ending === 'cut') spdy.cut()
      else if (faults.ending === 'reset') spdy.destroy()
    },
  }
}

async function endAll(outputs: readonly (Writable | null)[]): Promise<void> {
  for (const output of outputs) {
    if (!output || output.destroyed) continue
    output.end()
    await finished(output, { readable: false }).catch(() => {}) // the client is gone
  }
}

function jsonOf(status: object): Buffer {
  return Buffer.from(JSON.stringify(status))
}
