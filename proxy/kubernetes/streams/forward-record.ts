import type { UpgradeProtocol } from '../upgrade.ts'
import { openForwardTap } from './open-tap.ts'
import type { RecordParts, StreamRecord } from './stream-record.ts'
import type { StreamWork } from './stream-work.ts'
import type { ForwardEvents, ForwardedConnection, ForwardTap } from './tap.ts'

/** Of one entry, besides its texts. */
const entryBytes = 512

/** Port-forward: each connection with its port, before a byte of it is passed on, and its sizes at its end. */
export class ForwardRecord implements StreamRecord, ForwardEvents {
  readonly #parts: RecordParts
  readonly #work: StreamWork
  readonly #ids = new Map<ForwardedConnection, number>()
  /** Bytes on record, of those that are open. */
  readonly #told = new WeakMap<ForwardedConnection, number>()
  #lastId = 0
  #bytesUp = 0
  #bytesDown = 0
  #tap: ForwardTap | undefined

  constructor(parts: RecordParts, work: StreamWork) {
    this.#parts = parts
    this.#work = work
  }

  begin(detail: Readonly<Record<string, string>>): void {
    this.#write('stream', { ...detail, content: 'connections to ports of the pod; their bytes are counted' })
  }

  follow(upgrade: UpgradeProtocol, protocol: string): ForwardTap {
    this.#tap = openForwardTap(upgrade, protocol, this.#work.query, this)
    return this.#tap
  }

  opened(connection: ForwardedConnection): void {
    this.#lastId += 1
    this.#ids.set(connection, this.#lastId)
    this.#write('connection', { id: this.#lastId, port: connection.port })
  }

  ended(connection: ForwardedConnection): void {
    const { port, bytesUp, bytesDown, error } = connection
    const id = this.#ids.get(connection)
    this.#ids.delete(connection)
    this.#bytesUp += bytesUp
    this.#bytesDown += bytesDown
    this.#write('connection-end', { id, port, bytesUp, bytesDown, ...(error === '' ? {} : { error }) })
  }

  notice(text: string): void {
    this.#write('notice', { text })
  }

  traffic(): void {
    const connections = [...this.#ids].flatMap(([connection, id]) => {
      const { bytesUp, bytesDown } = connection
      if (bytesUp + bytesDown === (this.#told.get(connection) ?? 0)) return []
      this.#told.set(connection, bytesUp + bytesDown)
      return [{ id, bytesUp, bytesDown }]
    })
    if (connections.length > 0) this.#write('traffic', { connections })
  }

  watched(): void {}

  get hasScreen(): boolean {
    return false
  }

  remark(): null {
    return null
  }

  end(): void {
    this.#tap?.end()
    this.#write('end', { connections: this.#lastId, bytesUp: this.#bytesUp, bytesDown: this.#bytesDown })
  }

  #write(type: string, members: object): void {
    const { writer, now } = this.#parts
    const entry = { at: now(), type, ...members }
    writer.add(entry, entryBytes + Buffer.byteLength(JSON.stringify(members)))
  }
}
