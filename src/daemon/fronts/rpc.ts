/**
 * Calls between two processes of one daemon over a pair of sockets: frames of a length (uint32, big-endian) and JSON, one frame for all
 * that is sent in one turn. Values are plain data; bytes cross in base64, errors as {@link ErrorFacts}.
 */
import type { Duplex } from 'node:stream'
import { BrokerError, type ErrorFacts, fromErrorFacts, toErrorFacts } from '../../../proxy/session.ts'

/** What the other side may call. The value of a push is not sent back. */
export type Handlers = Readonly<Record<string, (...values: never[]) => unknown>>

export interface RpcOptions {
  readonly stream: Duplex
  readonly handlers: Handlers
  /** Once, when no more can be sent or received; every call that waits has been rejected. @param error undefined: the other side closed it */
  onOver(error?: Error): void
  readonly limits?: typeof rpcLimits
}

/** One statement of an API may be 64 MB, but none of that crosses: the largest is a report of all sessions of a front. */
export const rpcLimits = { frameBytes: 16 * 1_048_576, queuedBytes: 32 * 1_048_576, calls: 10_000 } as const

const lengthBytes = 4
const [call, done, failed, push] = [0, 1, 2, 3] as const

type Message =
  | readonly [typeof call, number, string, readonly unknown[]]
  | readonly [typeof done, number, unknown]
  | readonly [typeof failed, number, ErrorFacts]
  | readonly [typeof push, string, readonly unknown[]]

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
}

const lost = () => new BrokerError('INTERNAL', 'another process of the daemon has ended')

/** One end of such a pair. What is sent arrives in its order. */
export class Rpc {
  readonly #options: RpcOptions
  readonly #limits: typeof rpcLimits
  readonly #waiting = new Map<number, Waiting>()
  #last = 0
  #sending: Message[] = []
  #chunks: Buffer[] = []
  #received = 0
  #isOver = false

  constructor(options: RpcOptions) {
    this.#options = options
    this.#limits = options.limits ?? rpcLimits
    const { stream } = options
    stream.on('data', (chunk: Buffer) => this.#receive(chunk))
    stream.once('error', (error) => this.#end(error))
    stream.once('close', () => this.#end())
    stream.once('end', () => this.#end())
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** @throws BrokerError what the other side throws; RATE_LIMITED when too much waits; INTERNAL when it has ended */
  async call(name: string, ...values: readonly unknown[]): Promise<unknown> {
    if (this.#isOver) throw lost()
    if (this.#waiting.size >= this.#limits.calls || this.#options.stream.writableLength > this.#limits.queuedBytes)
      throw new BrokerError('RATE_LIMITED', 'the broker is busy')
    this.#last += 1
    const id = this.#last
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    this.#waiting.set(id, { resolve, reject })
    this.#send([call, id, name, values])
    return await promise
  }

  /** Without an answer. What can't be sent is dropped with the connection. */
  push(name: string, ...values: readonly unknown[]): void {
    if (!this.#isOver) this.#send([push, name, values])
  }

  close(): void {
    this.#end()
  }

  #send(message: Message): void {
    this.#sending.push(message)
    if (this.#sending.length === 1) queueMicrotask(() => this.#flush())
  }

  #flush(): void {
    const messages = this.#sending
    this.#sending = []
    if (this.#isOver) return
    const { stream } = this.#options
    const { frames, tooLong } = encode(messages, this.#limits.frameBytes)
    stream.cork()
    for (const body of frames) {
      const head = Buffer.allocUnsafe(lengthBytes)
      head.writeUInt32BE(body.length)
      stream.write(head)
      stream.write(body)
    }
    stream.uncork()
    for (const message of tooLong) this.#unsent(message)
    if (stream.writableLength > 2 * this.#limits.queuedBytes) this.#end(new Error('the other process reads nothing'))
  }

  /** The caller is told, here or there. */
  #unsent(message: Message): void {
    const error = new BrokerError('INTERNAL', 'a message between processes of the daemon is too long')
    if (message[0] === call) this.#settle(message[1])?.reject(error)
    else if (message[0] === push) this.#end(error)
    else this.#send([failed, message[1], toErrorFacts(error)])
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    return waiting
  }

  #receive(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#received += chunk.length
    try {
      for (let frame = this.#frame(); frame && !this.#isOver; frame = this.#frame())
        for (const message of decode(frame)) this.#take(message)
    } catch (error) {
      this.#end(error as Error)
    }
  }

  /** @throws Error for one that is too long */
  #frame(): Buffer | undefined {
    if (this.#received < lengthBytes) return
    const [first] = this.#chunks
    if (first && first.length < lengthBytes) this.#chunks = [Buffer.concat(this.#chunks)]
    const length = (this.#chunks[0] as Buffer).readUInt32BE()
    if (length > this.#limits.frameBytes) throw new Error(`a frame of ${length} bytes`)
    const end = lengthBytes + length
    if (this.#received < end) return
    const all = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks)
    this.#received -= end
    this.#chunks = this.#received > 0 ? [all.subarray(end)] : []
    return all.subarray(lengthBytes, end)
  }

  #take(message: Message): void {
    if (message[0] === call) void this.#answer(message[1], message[2], message[3])
    else if (message[0] === push) this.#runPush(message[1], message[2])
    else if (message[0] === done) this.#settle(message[1])?.resolve(message[2])
    else this.#settle(message[1])?.reject(fromErrorFacts(message[2]))
  }

  async #answer(id: number, name: string, values: readonly unknown[]): Promise<void> {
    try {
      this.#send([done, id, (await this.#run(name, values)) ?? null])
    } catch (error) {
      this.#send([failed, id, toErrorFacts(error)])
    }
  }

  /** Nobody waits for it: what fails there is the end of the connection. */
  #runPush(name: string, values: readonly unknown[]): void {
    const running = this.#run(name, values)
    if (running instanceof Promise) running.catch((error: Error) => this.#end(error))
  }

  #run(name: string, values: readonly unknown[]): unknown {
    const { handlers } = this.#options
    const handler = Object.hasOwn(handlers, name) ? handlers[name] : undefined
    if (!handler) throw new Error(`there is no call ${JSON.stringify(name)}`)
    return handler(...(values as never[]))
  }

  #end(error?: Error): void {
    if (this.#isOver) return
    this.#isOver = true
    const { stream, onOver } = this.#options
    stream.destroy()
    for (const { reject } of this.#waiting.values()) reject(lost())
    this.#waiting.clear()
    onOver(error)
  }
}

/** As one frame, or each message in its own where together they are too long. */
function encode(messages: readonly Message[], most: number): { frames: Buffer[]; tooLong: readonly Message[] } {
  const body = Buffer.from(JSON.stringify(messages, toPlain))
  if (body.length <= most) return { frames: [body], tooLong: [] }
  if (messages.length === 1) return { frames: [], tooLong: messages }
  const each = messages.map((message) => encode([message], most))
  return { frames: each.flatMap(({ frames }) => frames), tooLong: each.flatMap(({ tooLong }) => tooLong) }
}

/** @throws Error for anything but a list of messages */
function decode(frame: Buffer): Message[] {
  const messages: unknown = JSON.parse(frame.toString(), fromPlain)
  if (!Array.isArray(messages) || !messages.every(isMessage)) throw new Error('a frame that holds no messages')
  return messages
}

function isMessage(value: unknown): value is Message {
  if (!Array.isArray(value)) return false
  const [kind, second, third, fourth] = value as unknown[]
  if (kind === call) return typeof second === 'number' && typeof third === 'string' && Array.isArray(fourth)
  if (kind === push) return typeof second === 'string' && Array.isArray(third)
  if (kind === done) return typeof second === 'number'
  return kind === failed && typeof second === 'number' && typeof third === 'object' && third !== null
}

/** No name of a member that anything else has. */
const bytesKey = '\u0000bytes'

/** A Buffer has a `toJSON` of its own, which JSON asks first. */
function toPlain(this: unknown, key: string, value: unknown): unknown {
  const own = (this as Record<string, unknown>)[key]
  if (!(own instanceof Uint8Array)) return value
  return { [bytesKey]: Buffer.from(own.buffer, own.byteOffset, own.byteLength).toString('base64') }
}

function fromPlain(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, bytesKey)) return value
  return Buffer.from(String((value as Record<string, unknown>)[bytesKey]), 'base64')
}
