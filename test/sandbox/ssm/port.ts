import { connect, type Socket } from 'node:net'
import { type AgentWork, isAbove, type Output, type StartWork } from './work.ts'

/** Unread in the mux: above it the agent's websocket reader blocks, and nothing is acknowledged. */
const mostUnread = 4 * 1024 * 1024
const maxFrame = 32_768
const cmd = { syn: 0, fin: 1, psh: 2, nop: 3 } as const

/** A port session: smux where the document says `LocalPortForwarding`, else one raw stream. */
export const startPort: StartWork = (spec, parts) => {
  const { host = 'localhost', portNumber = '', type } = spec.properties ?? {}
  const address = parts.options.reaches[`${host}:${portNumber}`] ?? { host, port: Number(portNumber) }
  return type === 'LocalPortForwarding' ? new MuxServer(address, parts) : startRaw(address, parts)
}

interface Address {
  readonly host: string
  readonly port: number
}

const startRaw = (address: Address, { output, end }: Parameters<StartWork>[1]): AgentWork => {
  let isConnected = false
  const socket = connect(address)
  socket.on('error', () => end('Unable to connect to specified port'))
  socket.once('connect', () => {
    isConnected = true
  })
  socket.on('data', (data) => {
    socket.pause()
    void output(1, data).then(() => socket.resume())
  })
  socket.once('end', () => end())
  return {
    take: (type, payload) => {
      if (type !== 1) return true
      if (isConnected) socket.write(payload)
      return isConnected
    },
    stop: () => void socket.destroy(),
  }
}

/** The smux server of the agent, version 1. */
class MuxServer implements AgentWork {
  readonly #address: Address
  readonly #output: Output
  readonly #fault: (text: string) => void
  readonly #end: (output?: string) => void
  readonly #streams = new Map<number, Stream>()
  readonly #keepalive: NodeJS.Timeout | undefined
  #rest = Buffer.alloc(0)
  #dialling = Promise.resolve()
  #heardAt = Date.now()

  constructor(address: Address, { output, fault, end, options }: Parameters<StartWork>[1]) {
    this.#address = address
    this.#output = output
    this.#fault = fault
    this.#end = end
    if (!isAbove(options.agentVersion, [3, 1, 1511, 0]))
      this.#keepalive = setInterval(() => this.#keepAlive(options.keepaliveMs), options.keepaliveMs).unref()
  }

  take(type: number, payload: Buffer): boolean {
    if (type !== 1) return true
    this.#heardAt = Date.now()
    this.#rest = Buffer.concat([this.#rest, payload])
    for (;;) {
      if (this.#rest.length < 8) return true
      const [version, command] = [this.#rest[0], this.#rest[1]]
      const [length, id] = [this.#rest.readUInt16LE(2), this.#rest.readUInt32LE(4)]
      if (version !== 1) return this.#die(`smux of version ${version}`)
      if (command === cmd.psh && this.#rest.length < 8 + length) return true
      const data = this.#rest.subarray(8, command === cmd.psh ? 8 + length : 8)
      this.#rest = this.#rest.subarray(8 + data.length)
      if (command === cmd.syn) this.#open(id)
      else if (command === cmd.psh) this.#streams.get(id)?.write(data)
      else if (command === cmd.fin) this.#streams.get(id)?.remoteEnd()
      else if (command !== cmd.nop) return this.#die(`an unknown smux command ${command}`)
    }
  }

  isFull(): boolean {
    let unread = 0
    for (const { socket } of this.#streams.values()) unread += socket?.writableLength ?? 0
    return unread > mostUnread
  }

  /** It kills the session, as the library does. */
  #die(why: string): boolean {
    this.#fault(why)
    this.#end('')
    return true
  }

  #open(id: number): void {
    if (this.#streams.has(id)) return
    if (id % 2 === 0 || id < 3) this.#fault(`a client opened the stream ${id}`)
    const stream = new Stream((command, data) => this.#send(command, id, data))
    this.#streams.set(id, stream)
    // One after the other: a destination that does not answer delays all later ones.
    this.#dialling = this.#dialling.then(async () => {
      const isConnected = await stream.dial(this.#address)
      if (!isConnected) await this.#output(10, Buffer.from([0, 0, 0, 3]))
      if (!isConnected) await this.#send(cmd.fin, id)
      stream.whenClosed(() => this.#streams.delete(id))
    })
  }

  async #send(command: number, id: number, data: Buffer = Buffer.alloc(0)): Promise<void> {
    const head = Buffer.alloc(8)
    head.set([1, command])
    head.writeUInt16LE(data.length, 2)
    head.writeUInt32LE(id, 4)
    await this.#output(1, Buffer.concat([head, data]))
  }

  #keepAlive(everyMs: number): void {
    if (Date.now() - this.#heardAt > 3 * everyMs) this.#end('')
    else void this.#send(cmd.nop, 0)
  }

  stop(): void {
    clearInterval(this.#keepalive)
    for (const { socket } of this.#streams.values()) socket?.destroy()
  }
}

class Stream {
  readonly #send: (command: number, data?: Buffer) => Promise<void>
  socket: Socket | undefined
  readonly #early: Buffer[] = []
  #passing = Promise.resolve()
  #isClosed = false
  #onClosed = () => {}

  constructor(send: (command: number, data?: Buffer) => Promise<void>) {
    this.#send = send
  }

  async dial(address: Address): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const socket = connect(address, () => resolve(true))
    socket.on('error', () => resolve(false))
    if (!(await promise)) {
      this.#close()
      return false
    }
    this.socket = socket
    for (const data of this.#early.splice(0)) socket.write(data)
    socket.on('data', (data) => {
      socket.pause()
      this.#passing = this.#pass(data)
      void this.#passing.then(() => socket.resume())
    })
    socket.once('end', () => void this.#passing.then(() => this.#localEnd()))
    socket.once('error', () => this.#localEnd())
    if (this.#isClosed) socket.destroy()
    return true
  }

  async #pass(data: Buffer): Promise<void> {
    for (let at = 0; at < data.length && !this.#isClosed; at += maxFrame)
      await this.#send(cmd.psh, data.subarray(at, at + maxFrame))
  }

  write(data: Buffer): void {
    if (this.#isClosed) return
    if (this.socket) this.socket.write(data)
    else this.#early.push(data)
  }

  /** The destination has ended: FIN, and whatever the client still sends is dropped. */
  #localEnd(): void {
    if (this.#isClosed) return
    this.#close()
    void this.#send(cmd.fin)
    this.socket?.destroy()
  }

  /** FIN of the client: what it sent before is delivered, then both directions are closed; what would come back is lost. */
  remoteEnd(): void {
    if (this.#isClosed) return
    this.#close()
    void this.#send(cmd.fin)
    const { socket } = this
    if (!socket) return
    socket.end(() => socket.destroy())
    socket.removeAllListeners('data')
    socket.resume()
  }

  #close(): void {
    this.#isClosed = true
    this.#onClosed()
  }

  whenClosed(listener: () => void): void {
    this.#onClosed = listener
    if (this.#isClosed) listener()
  }
}
