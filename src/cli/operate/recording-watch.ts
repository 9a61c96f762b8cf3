import { StringDecoder } from 'node:string_decoder'
import type { Command } from 'commander'
import type { WebSocket } from 'ws'
import { lostBroker, readBrokerMessage, toRefusal } from '../../../proxy/local/broker-messages.ts'
import { openWatchSocket } from '../../../proxy/local/broker-socket.ts'
import { printable } from '../../../proxy/printable.ts'
import type { BrokerError } from '../../../proxy/session.ts'
import { untilStopped } from '../connect/connect-deps.ts'
import { openLogin } from '../login/login-store.ts'
import { resetScreen } from './recorded-terminal.ts'
import { SafeTerminalText } from './safe-terminal-text.ts'
import { sizeNotice } from './terminal-size.ts'

const normalCode = 1000
/** The broker sends four times as much before it waits for us. */
const ackEveryBytes = 64 * 1024
const controlC = 3

/**
 * `recordings watch`: shows another session's terminal on this one until it ends, or Ctrl-C; nothing of what is typed goes there.
 * @throws BrokerError when the broker refused it, ended it, or was lost
 */
export async function watchTerminal(program: Command, sessionId: string): Promise<void> {
  const { server, token } = await openLogin(program.opts())
  await untilStopped(async (signal) => {
    const viewer = await openWatchSocket({ server, bearer: token }, sessionId, signal, (socket) => new Viewer(socket))
    await viewer.run(signal)
  })
}

class Viewer {
  readonly #socket: WebSocket
  readonly #ended = Promise.withResolvers<void>()
  readonly #decoder = new StringDecoder()
  readonly #safe = new SafeTerminalText()
  #shown = 0
  #acknowledged = 0
  #refusal: BrokerError | undefined
  #isLeaving = false

  constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data: Buffer, isBinary: boolean) => (isBinary ? this.#show(data) : this.#hear(data)))
    socket.on('error', () => {}) // followed by `close`
    socket.once('close', (code) => this.#closed(code))
  }

  async run(signal: AbortSignal): Promise<void> {
    const { stdin, stdout } = process
    const leave = () => this.#leave()
    signal.addEventListener('abort', leave)
    if (signal.aborted) leave()
    if (stdin.isTTY) {
      stdin.setRawMode(true) // what is typed is not shown among what is watched
      stdin.on('data', this.#type)
    }
    try {
      await this.#ended.promise
    } finally {
      signal.removeEventListener('abort', leave)
      if (stdin.isTTY) {
        stdin.off('data', this.#type)
        stdin.pause()
        stdin.setRawMode(false)
      }
      if (stdout.isTTY) stdout.write(`${resetScreen}\r\n`)
    }
  }

  readonly #type = (typed: Buffer): void => {
    if (typed.includes(controlC)) this.#leave()
  }

  #leave(): void {
    this.#isLeaving = true
    this.#socket.close(normalCode)
  }

  #show(bytes: Buffer): void {
    process.stdout.write(this.#safe.push(this.#decoder.write(bytes)), () => {
      this.#shown += bytes.length
      if (this.#shown - this.#acknowledged < ackEveryBytes || this.#socket.readyState !== this.#socket.OPEN) return
      this.#acknowledged = this.#shown
      this.#socket.send(JSON.stringify({ ack: this.#shown }))
    })
  }

  #hear(data: Buffer): void {
    const { notice, exit, error, skipped, resize } = readBrokerMessage(data)
    if (typeof notice === 'string') this.#tell(notice)
    if (typeof exit === 'number') this.#tell(`exit code ${exit}`)
    if (typeof skipped === 'number') this.#tell(`${skipped.toLocaleString('en-US')} bytes were skipped`)
    const note = sizeNotice(resize)
    if (note !== undefined) this.#tell(note)
    if (error !== undefined) this.#refusal = toRefusal(error)
  }

  #tell(text: string): void {
    process.stdout.write(`\r\n[${printable(text)}]\r\n`)
  }

  #closed(code: number): void {
    if (this.#refusal) this.#ended.reject(this.#refusal)
    else if (code === normalCode || this.#isLeaving) this.#ended.resolve()
    else this.#ended.reject(lostBroker())
  }
}
