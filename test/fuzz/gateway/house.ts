/**
 * Session Manager's data channel as the carrying side opens it, before a gateway that says what it is told. All is real but what is
 * said: the websockets, and the sessions with their streams.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type WebSocket, WebSocketServer } from 'ws'
import type { ChannelEnd, ChannelOptions } from '../../../proxy/ssm/channel.ts'
import type * as Smux from '../../../proxy/ssm/smux-session.ts'
import type * as Terminals from '../../../proxy/ssm/terminal.ts'
import { buildFrame } from '../../sandbox/ssm/frames.ts'
import { waitUntil } from '../../wait-until.ts'
import { loadCodec } from '../load-codec.ts'

/** What of `proxy/ssm` is fuzzed, or of a copy of it with a fault. */
export interface Channels {
  readonly terminal: typeof Terminals
  readonly smux: typeof Smux
}

/** @param folder URL that ends in a slash */
export function loadChannels(folder: string): Promise<Channels> {
  return loadCodec<Channels>(folder, { terminal: 'terminal', smux: 'smux-session' })
}

export type Act =
  | { readonly say: Buffer; readonly isText?: boolean }
  /** Of the client: it goes on once that has come, or cannot come any more. */
  | { readonly await: number }
  | { readonly close: number }
  | { readonly cut: true }

export interface Script {
  readonly session: 'shell' | 'sealed' | 'port'
  readonly isHonest: boolean
  /** False: nothing is read before all has been said, and nothing of it is kept here. */
  readonly reads: boolean
  /** What each websocket says; after the last the session is over. */
  readonly acts: readonly (readonly Act[])[]
}

export interface Outcome {
  readonly end: ChannelEnd
  /** What came out of the session's streams; of a script that does not read, nothing. */
  readonly shown: Buffer
  /** Sequence numbers that were acknowledged, in their order. */
  readonly acknowledged: readonly number[]
}

/** Everything is over by then, also where only a deadline ends it. */
const withinMs = 20_000
/** An honest agent is given time on a busy machine; what a hostile one leaves out is not waited for. */
const patience = { honest: 5000, hostile: 60 } as const
/** A gateway that is not read waits with the rest. */
const mostUnsentBytes = 512 * 1024
const stalledMs = 150
/** For the agent's side, and ours. */
export const dataKey = Buffer.from(Array.from({ length: 64 }, (_, i) => i))

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** In use outside the heap, where everything is that a peer has sent. */
export function bytesInUse(): number {
  collectGarbage()
  return process.memoryUsage().arrayBuffers
}

export interface GatewayHouse {
  /** @param look called when all has been said, before anything that is held back is read */
  run(script: Script, look?: () => void): Promise<Outcome>
  close(): void
}

export async function openGatewayHouse(channels: Channels): Promise<GatewayHouse> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
  let play: (socket: WebSocket) => void = () => {}
  server.on('connection', (socket) => {
    socket.on('error', () => {})
    socket.once('message', () => play(socket))
  })
  return {
    run: async (script, look) => {
      const waitMs = script.isHonest ? patience.honest : patience.hostile
      const acknowledged: number[] = []
      const said = Promise.withResolvers<void>()
      const left = [...script.acts]
      let newest: WebSocket | undefined
      play = (socket) => {
        socket.on('message', (bytes: Buffer) => void acknowledged.push(...acknowledgedBy(bytes)))
        const acts = left.shift() ?? []
        newest = socket
        void say(socket, acts, waitMs).then(() => (left.length === 0 ? said.resolve() : socket.close(1000, 'Bye')))
      }
      let tickets = 0
      const ticket: ChannelOptions['ticket'] = async () => {
        tickets += 1
        return tickets > script.acts.length ? null : { url, token: 'token', headers: {} }
      }
      const session = openSession(channels, script, { ticket, readyMs: 2 * waitMs, resumeMs: 2000, stableMs: 0 })
      try {
        await Promise.race([said.promise, session.ended])
        look?.()
        if (!script.reads) session.read()
        newest?.send(over)
        let end: ChannelEnd | undefined
        void session.ended.then((one) => {
          end = one
        })
        await waitUntil(() => end !== undefined, 'the session is over', withinMs, 1)
        await waitUntil(session.isRead, 'all is read', withinMs, 1)
        if (!end) throw new Error('unreachable')
        return { end, shown: session.shown(), acknowledged }
      } finally {
        session.leave()
        await waitUntil(() => server.clients.size === 0, 'its websocket is closed', withinMs, 1)
      }
    },
    close: () => {
      for (const socket of server.clients) socket.terminate()
      server.close()
    },
  }
}

const over = buildFrame(
  {
    ...{ type: 'channel_closed', sequence: 0, flags: 3, id: '00000000-0000-4000-8000-000000000000', payloadType: 0 },
    payload: Buffer.from(JSON.stringify({ MessageType: 'channel_closed', SchemaVersion: 1, Output: '' })),
  },
  1,
)

function openSession({ terminal, smux }: Channels, { session, reads }: Script, options: ChannelOptions) {
  const parts: Buffer[] = []
  const keep = (bytes: Buffer) => void (reads && parts.push(bytes))
  const shown = () => Buffer.concat(parts)
  if (session === 'port') {
    const port = new smux.PortSession({ ...options, expected: {} })
    const opened = port.open()
    opened.catch(() => {})
    const read = () =>
      void opened.then(
        (stream) => stream.on('data', keep),
        () => {},
      )
    void opened.then(
      (stream) => stream.write('hello'),
      () => {},
    )
    if (reads) read()
    return { ended: port.ended, read, shown, isRead: () => true, leave: () => void port.close() }
  }
  const isSealed = session === 'sealed'
  const key = async () => ({ plaintext: dataKey, ciphertext: Buffer.from('sealed') })
  const size = { cols: 80, rows: 24 }
  const one = new terminal.Terminal({ ...options, ...(isSealed ? { dataKey: key, isEncrypted: true } : {}) }, size)
  const read = () => {
    one.stream.on('data', keep)
    one.stderr.on('data', keep)
  }
  one.stream.write('typed\r')
  if (reads) read()
  const isRead = () =>
    [one.stream, one.stderr].every(({ readableEnded, destroyed }) => readableEnded || destroyed) || one.stream.destroyed
  return { ended: one.ended, read, shown, isRead, leave: () => void one.stream.destroy() }
}

async function say(socket: WebSocket, acts: readonly Act[], waitMs: number): Promise<void> {
  const came = new Set<number>()
  socket.on('message', (bytes: Buffer) => {
    if (bytes.length >= 116 && bytes.toString('latin1', 4, 9) === 'input') came.add(bytes.readUInt32BE(112))
  })
  const isGone = () => socket.readyState !== socket.OPEN
  for (const act of acts) {
    if (isGone()) return
    if ('await' in act) await until(() => came.has(act.await) || isGone(), waitMs)
    else if ('close' in act) socket.close(act.close)
    else if ('cut' in act) socket.terminate()
    else {
      socket.send(act.say, { binary: !act.isText })
      if (socket.bufferedAmount > mostUnsentBytes)
        await until(() => socket.bufferedAmount < mostUnsentBytes / 2 || isGone(), stalledMs)
      if (socket.bufferedAmount > mostUnsentBytes) return // it is not read any more
    }
  }
}

async function until(holds: () => boolean, ms: number): Promise<void> {
  await waitUntil(holds, 'it may not come', ms, 1).catch(() => {})
}

function acknowledgedBy(bytes: Buffer): number[] {
  if (bytes.toString('latin1', 4, 15) !== 'acknowledge') return []
  const { AcknowledgedMessageSequenceNumber: sequence } = JSON.parse(bytes.toString('utf8', 120))
  return [Number(sequence)]
}
