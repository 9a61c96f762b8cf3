/** The agent's half of the reliability layer: one acknowledgement a message, and only the oldest message ever sent again. */
import { randomUUID } from 'node:crypto'
import { type AgentFrame, buildFrame, ProtocolFault, parseExactly, parseFrame } from './frames.ts'

const resendEveryMs = 100
const longestTimeoutMs = 1000

export interface AgentLinkParts {
  /** To the gateway. */
  send(bytes: Buffer): void
  /** @returns false: nobody is ready for it, so it is not acknowledged and comes again */
  take(payloadType: number, payload: Buffer): boolean
  fault(fault: ProtocolFault): void
}

interface Unacknowledged {
  readonly sequence: number
  readonly bytes: Buffer
  /** Null: it was never sent, since the client was away. */
  sentAt: number | null
}

export class AgentLink {
  readonly #parts: AgentLinkParts
  readonly #out: Unacknowledged[] = []
  readonly #early = new Map<number, AgentFrame>()
  readonly #timer: NodeJS.Timeout
  #next = 0
  #expected = 0
  #smoothed = 100
  #variation = 0
  #timeout = 200
  isPaused = false
  /** Duplicates that came, and messages sent again. */
  readonly counts = { duplicates: 0, resent: 0, acknowledged: 0, received: 0 }

  constructor(parts: AgentLinkParts) {
    this.#parts = parts
    this.#timer = setInterval(() => this.#resend(), resendEveryMs).unref()
  }

  /** Data that the client has not acknowledged. */
  get waiting(): number {
    return this.#out.length
  }

  close(): void {
    clearInterval(this.#timer)
  }

  data(payloadType: number, payload: Buffer): void {
    const sequence = this.#next++
    const flags = sequence === 0 ? 1 : 0
    const frame = { type: 'output_stream_data', sequence, flags, id: randomUUID(), payloadType, payload }
    const bytes = buildFrame(frame, Date.now())
    this.#out.push({ sequence, bytes, sentAt: this.isPaused ? null : performance.now() })
    if (!this.isPaused) this.#parts.send(bytes)
  }

  receive(bytes: Buffer): void {
    let frame: AgentFrame
    try {
      frame = parseFrame(Buffer.from(bytes))
      if (frame.type === 'input_stream_data') this.#receiveData(frame)
      else if (frame.type === 'acknowledge') this.#acknowledged(frame)
      else throw new ProtocolFault(`a client may not send ${frame.type}`)
    } catch (error) {
      if (!(error instanceof ProtocolFault)) throw error
      this.#parts.fault(error)
    }
  }

  #receiveData(frame: AgentFrame): void {
    this.isPaused = false
    if (frame.flags !== 0) throw new ProtocolFault(`data of a client with the flags ${frame.flags}`)
    if (frame.sequence < this.#expected) this.counts.duplicates += 1
    if (frame.sequence > this.#expected) this.#early.set(frame.sequence, frame)
    if (frame.sequence === this.#expected && !this.#process(frame)) return
    this.#acknowledge(frame)
    for (let next = this.#early.get(this.#expected); next; next = this.#early.get(this.#expected)) {
      if (!this.#process(next)) return
      this.#early.delete(next.sequence)
    }
  }

  #process(frame: AgentFrame): boolean {
    if (!this.#parts.take(frame.payloadType, frame.payload)) return false
    this.#expected += 1
    this.counts.received += 1
    return true
  }

  #acknowledge(frame: AgentFrame): void {
    const payload = JSON.stringify({
      AcknowledgedMessageType: frame.type,
      AcknowledgedMessageId: frame.id,
      AcknowledgedMessageSequenceNumber: frame.sequence,
      IsSequentialMessage: true,
    })
    const ack = { type: 'acknowledge', sequence: 0, flags: 3, id: randomUUID(), payloadType: 0 }
    this.#parts.send(buildFrame({ ...ack, payload: Buffer.from(payload) }, Date.now()))
  }

  #acknowledged(frame: AgentFrame): void {
    this.isPaused = false
    if (frame.flags !== 3 || frame.sequence !== 0 || frame.payloadType !== 0)
      throw new ProtocolFault('an acknowledgement with other flags, sequence number or payload type')
    const members = ['AcknowledgedMessageType', 'AcknowledgedMessageId', 'AcknowledgedMessageSequenceNumber']
    const ack = parseExactly(frame.payload.toString(), [...members, 'IsSequentialMessage'], 'an acknowledgement')
    const { AcknowledgedMessageSequenceNumber: sequence, AcknowledgedMessageType: type } = ack
    if (type !== 'output_stream_data' || ack.IsSequentialMessage !== true)
      throw new ProtocolFault('an acknowledgement of what the agent did not send')
    if (typeof sequence !== 'number' || sequence >= this.#next)
      throw new ProtocolFault('an acknowledgement of what was never sent')
    const at = this.#out.findIndex((one) => one.sequence === sequence)
    const [found] = at < 0 ? [] : this.#out.splice(at, 1)
    if (!found) return
    this.counts.acknowledged += 1
    const rtt = performance.now() - (found.sentAt ?? performance.now())
    this.#variation = 0.75 * this.#variation + 0.25 * Math.abs(this.#smoothed - rtt)
    this.#smoothed = 0.875 * this.#smoothed + 0.125 * rtt
    this.#timeout = Math.min(longestTimeoutMs, this.#smoothed + Math.max(10, 4 * this.#variation))
  }

  #resend(): void {
    const [head] = this.#out
    const now = performance.now()
    if (!head || this.isPaused || (head.sentAt !== null && now - head.sentAt < this.#timeout)) return
    head.sentAt = now
    this.counts.resent += 1
    this.#parts.send(head.bytes)
  }
}
