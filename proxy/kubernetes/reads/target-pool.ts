import type { Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { TargetConnection } from './target-connection.ts'

const keepAliveMs = 30_000
/** API servers close a connection once nothing came for 90 s. */
const unusedMs = 60_000
const lookEveryMs = 15_000

/** Connections of one session to its cluster for requests that read; never shared with another's. */
export class TargetPool {
  readonly #connect: () => Promise<Socket>
  readonly #all = new Set<TargetConnection>()
  /** The one that was used last is the last. */
  #unused: TargetConnection[] = []
  #timer: NodeJS.Timeout | undefined
  #isOver = false

  constructor(connect: () => Promise<Socket>) {
    this.#connect = connect
  }

  /** @returns one without a request that is still open */
  take(): TargetConnection | undefined {
    while (true) {
      const connection = this.#unused.pop()
      if (!connection?.isOver) return connection
    }
  }

  /** @throws BrokerError */
  async connect(): Promise<TargetConnection> {
    const socket = await this.#connect()
    socket.setKeepAlive(true, keepAliveMs)
    const connection = new TargetConnection(socket, (over) => this.#forget(over))
    this.#all.add(connection)
    if (this.#isOver) connection.destroy()
    return connection
  }

  /** Its answer has ended, and nothing came behind it. */
  give(connection: TargetConnection): void {
    connection.release()
    if (connection.isOver) return
    connection.unusedSince = performance.now()
    this.#unused.push(connection)
    this.#timer ??= setInterval(() => this.#look(), lookEveryMs).unref()
  }

  /** Closes those without a request: one of them turned out to be dead. */
  closeUnused(): void {
    for (const connection of this.#unused.splice(0)) connection.destroy()
  }

  destroy(): void {
    this.#isOver = true
    clearInterval(this.#timer)
    for (const connection of this.#all) connection.destroy()
  }

  #look(): void {
    const before = performance.now() - unusedMs
    for (const connection of this.#unused) if (connection.unusedSince < before) connection.destroy()
    this.#unused = this.#unused.filter((connection) => !connection.isOver)
    if (this.#unused.length > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #forget(connection: TargetConnection): void {
    this.#all.delete(connection)
    const at = this.#unused.indexOf(connection)
    if (at >= 0) this.#unused.splice(at, 1)
  }
}
