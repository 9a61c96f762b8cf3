import { encodeClose, encodeMessage, encodeMessageEnd } from '../../wire/websocket/encode.ts'
import { WebsocketFrames, type WebsocketSink } from '../../wire/websocket/frames.ts'
import { WireError } from '../../wire/wire-error.ts'
import { SpdyForwardTap } from './spdy-forward.ts'
import type { ForwardEvents, ForwardTap } from './tap.ts'
import { normalClosure } from './websocket-exec.ts'

/** Port-forward by SPDY in a websocket (`SPDY/3.1+portforward.k8s.io`): binary messages are slices of one stream of bytes. */
export class TunnelledForwardTap implements ForwardTap {
  readonly #inner: SpdyForwardTap
  readonly #up: WebsocketFrames
  readonly #down: WebsocketFrames

  constructor(events: ForwardEvents) {
    const inner = new SpdyForwardTap(events)
    this.#inner = inner
    this.#up = new WebsocketFrames(
      slices((part) => inner.up(part)),
      true,
    )
    this.#down = new WebsocketFrames(
      slices((part) => inner.down(part)),
      false,
    )
  }

  get carried(): number {
    return this.#inner.carried
  }

  up(chunk: Buffer): void {
    this.#up.scan(chunk)
  }

  down(chunk: Buffer): void {
    this.#down.scan(chunk)
  }

  complete(chunk: Buffer): number {
    let at = 0
    while (at < chunk.length && !this.#isAtBoundary) at += this.#down.scanFrame(chunk.subarray(at))
    return at
  }

  farewell(text: string): Buffer | null {
    if (this.#down.isAtBoundary && this.#down.isClosed) return Buffer.alloc(0)
    const inner = this.#isAtBoundary ? this.#inner.farewell(text) : null
    if (!inner) return null
    const ended = this.#down.isInMessage ? [encodeMessageEnd()] : []
    return Buffer.concat([...ended, encodeMessage(inner)])
  }

  parting(): Buffer {
    return this.#down.isClosed
      ? Buffer.alloc(0)
      : Buffer.concat([encodeMessage(this.#inner.parting()), encodeClose(normalClosure)])
  }

  end(): void {
    this.#inner.end()
  }

  get #isAtBoundary(): boolean {
    return this.#down.isAtBoundary && this.#inner.isAtBoundary
  }
}

function slices(data: (part: Buffer) => void): WebsocketSink {
  return {
    begin: (isText) => {
      if (isText) throw new WireError('a message is of the wrong type, text or binary')
    },
    data,
    end: () => {},
    control: () => {},
  }
}
