import type { Duplex } from 'node:stream'
import type { StopResult } from '../../doorman.ts'
import type { Sides } from '../../relay/conversation.ts'
import type { ChangeUser } from '../../wire/mysql/change-user.ts'
import { decodeOk, type Ended } from '../../wire/mysql/decode.ts'
import { firstByte } from '../../wire/mysql/encode.ts'
import { encodePacket } from '../../wire/mysql/packets.ts'
import { decodeError } from '../../wire/mysql/replies.ts'
import type { ChangeUserOf, Exchange } from '../change-user.ts'
import type { Pending } from './pending.ts'
import type { OwnWork } from './read-command.ts'
import {
  encodeOk,
  encodeRefusal,
  killDenied,
  killFailed,
  killPooled,
  type Refusal,
  toStatementError,
  unknownThread,
} from './refusals.ts'

interface Kept {
  readonly pending: Pending
  readonly work: OwnWork
}

interface OwnParts {
  kill(id: number, what: 'connection' | 'query'): Promise<StopResult | 'pooled'>
  /** See {@link LedgerParts}. */
  reset?(stream: Duplex): Promise<Buffer>
  readonly changeUser: ChangeUserOf
  /** The target reports changes of the session. */
  readonly isTracking: boolean
}

/** What the client is sent. */
interface OwnAnswer {
  readonly pending: Pending
  readonly packet: Buffer
  /** The session is a new one: how the target's answer ended. */
  readonly reset?: Ended
}

/** The one command that was kept back, until the broker has answered it. */
export class OwnAnswers {
  readonly #parts: OwnParts
  #kept: Kept | undefined
  #exchange: Exchange | undefined

  constructor(parts: OwnParts) {
    this.#parts = parts
  }

  get pending(): Pending | undefined {
    return this.#kept?.pending
  }

  /** Of the packet that the client waits for, while one is kept back. */
  get sequence(): number | undefined {
    return this.#exchange?.sequence ?? this.#kept?.pending.sequence
  }

  keep(pending: Pending, work: OwnWork): void {
    this.#kept = { pending, work }
  }

  take(): Kept | undefined {
    const kept = this.#kept
    this.#kept = undefined
    return kept
  }

  /** @param status of the last answer */
  async answer(status: number, sides: Sides): Promise<OwnAnswer> {
    const kept = this.#kept
    if (!kept) throw new Error('nothing was kept back')
    const { pending, work } = kept
    if ('reset' in work) return await this.#reset(pending, sides)
    if ('changeUser' in work) return await this.#changeUser(pending, work.changeUser, sides)
    const refusal = 'kill' in work ? await this.#kill(work.kill) : work.refusal
    if (refusal) pending.error = toStatementError(refusal)
    else pending.addTag('OK 0')
    const packet = refusal ? encodeRefusal(pending.sequence, refusal) : encodeOk(pending.sequence, status)
    return { pending, packet }
  }

  async #reset(pending: Pending, sides: Sides): Promise<OwnAnswer> {
    const { reset, isTracking } = this.#parts
    if (!reset) throw new Error('the level sets nothing')
    const payload = await sides.target(reset)
    const packet = encodePacket(pending.sequence, payload)
    if (payload[0] !== firstByte.error) return { pending, packet, reset: decodeOk(payload, isTracking) }
    pending.error = toStatementError(decodeError(payload))
    return { pending, packet }
  }

  async #changeUser(pending: Pending, asked: ChangeUser, sides: Sides): Promise<OwnAnswer> {
    const { changeUser, isTracking } = this.#parts
    const { payload, sequence, reset } = await changeUser(asked, pending.sequence, sides, (exchange) => {
      this.#exchange = exchange
    })
    this.#exchange = undefined
    if (payload[0] === firstByte.error) pending.error = toStatementError(decodeError(payload))
    else pending.database = asked.database === '' ? undefined : asked.database
    const packet = encodePacket(sequence, payload)
    return { pending, packet, ...(reset ? { reset: decodeOk(reset, isTracking) } : {}) }
  }

  async #kill({
    id,
    what,
  }: {
    readonly id: number
    readonly what: 'connection' | 'query'
  }): Promise<Refusal | undefined> {
    try {
      const result = await this.#parts.kill(id, what)
      if (result === 'done') return undefined
      if (result === 'pooled') return killPooled
      return result === 'denied' ? killDenied(id) : unknownThread(id)
    } catch {
      return killFailed
    }
  }
}
