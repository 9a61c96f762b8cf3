import type { Socket } from 'node:net'
import { withoutMapping } from './source-address.ts'

/** A client's end of a connection. */
export interface Origin {
  readonly address: string
  readonly port: number
}

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const fixedBytes = 16
/** Addresses take 36 bytes; the rest is for extensions, of which a balancer sends some hundred bytes. */
const mostBytes = 4096
const deadlineMs = 5000
/** Connections whose header is awaited. Balancers send it at once. */
const mostWaiting = 1024

/**
 * What a balancer says of the connection that it forwards: the PROXY protocol, version 2
 * (https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt, section 2.2). Who may say it must, and nobody else may.
 */
export class ProxyHeaders {
  readonly #isBalancer: (address: string) => boolean
  readonly #onFault: (what: string, address: string) => void
  #waiting = 0

  /** @param onFault a balancer's connection that was closed */
  constructor(isBalancer: (address: string) => boolean, onFault: (what: string, address: string) => void) {
    this.#isBalancer = isBalancer
    this.#onFault = onFault
  }

  /**
   * Calls back with the true client, at once where none speaks for it, else when the header was read; the rest of the connection is
   * unread then. A connection without a good header is destroyed.
   */
  accept(socket: Socket, then: (origin: Origin) => void): void {
    const { remoteAddress, remotePort } = socket
    if (remoteAddress === undefined || remotePort === undefined) {
      socket.destroy() // it has left already
      return
    }
    const peer = { address: withoutMapping(remoteAddress), port: remotePort }
    if (!this.#isBalancer(peer.address)) then(peer)
    else if (this.#waiting < mostWaiting) this.#await(socket, peer, then)
    else this.#refuse(socket, 'too many connections without a header', peer)
  }

  #await(socket: Socket, peer: Origin, then: (origin: Origin) => void): void {
    this.#waiting += 1
    void this.#read(socket).then((header) => {
      this.#waiting -= 1
      if (header === undefined || socket.destroyed) socket.destroy()
      else if (typeof header === 'string') this.#refuse(socket, header, peer)
      else then(header ?? peer)
    })
  }

  #refuse(socket: Socket, what: string, { address }: Origin): void {
    socket.destroy()
    this.#onFault(what, address)
  }

  /** @returns a text: what is wrong with it; null: the balancer speaks for itself; undefined: it has left. Never rejects */
  async #read(socket: Socket): Promise<Origin | string | null | undefined> {
    const reading = new Reading(socket)
    try {
      const fixed = await reading.exactly(fixedBytes)
      if (fixed === null) return reading.isLate ? 'no header of the PROXY protocol came' : undefined
      if (!fixed.subarray(0, signature.length).equals(signature))
        return 'it began without a header of the PROXY protocol, version 2'
      const length = fixed.readUInt16BE(14)
      if (length > mostBytes) return `its header has ${length} bytes`
      const rest = length === 0 ? Buffer.alloc(0) : await reading.exactly(length)
      if (rest === null) return reading.isLate ? 'its header was not complete' : undefined
      return originIn(fixed, rest)
    } finally {
      await reading.stop()
    }
  }
}

/** For ports that no balancer stands before. */
export const noProxyHeaders = new ProxyHeaders(
  () => false,
  () => {},
)

/** Reads a few bytes within the deadline, and leaves the socket to the next reader. */
class Reading {
  readonly #socket: Socket
  readonly #timer: NodeJS.Timeout
  #isOver = false
  isLate = false
  #more = Promise.withResolvers<void>()
  readonly #wake = () => this.#more.resolve()
  readonly #end = () => {
    this.#isOver = true
    this.#more.resolve()
  }

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('readable', this.#wake).once('end', this.#end).once('close', this.#end)
    this.#timer = setTimeout(() => {
      this.isLate = true
      this.#end()
    }, deadlineMs)
  }

  /** Null when they do not come. */
  async exactly(count: number): Promise<Buffer | null> {
    for (;;) {
      this.#more = Promise.withResolvers()
      const bytes = this.#socket.read(count) as Buffer | null
      if (bytes !== null) return bytes.length === count ? bytes : null // at its end a stream gives what it has
      if (this.#isOver) return null
      await this.#more.promise
    }
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    this.#socket.off('readable', this.#wake).off('end', this.#end).off('close', this.#end)
    await new Promise((resolve) => setImmediate(resolve)) // only then does it flow for a reader that listens to 'data'
  }
}

const families = { tcp4: 0x11, tcp6: 0x21 } as const

function originIn(fixed: Buffer, rest: Buffer): Origin | string | null {
  const command = fixed[12]
  if (command === 0x20) return null // LOCAL
  if (command !== 0x21) return 'its header has an unknown version or command'
  if (fixed[13] === families.tcp4 && rest.length >= 12)
    return { address: rest.subarray(0, 4).join('.'), port: rest.readUInt16BE(8) }
  if (fixed[13] === families.tcp6 && rest.length >= 36) {
    const groups = Array.from({ length: 8 }, (_, i) => rest.readUInt16BE(2 * i).toString(16))
    return { address: withoutMapping(groups.join(':')), port: rest.readUInt16BE(32) }
  }
  return 'its header names no TCP address'
}
