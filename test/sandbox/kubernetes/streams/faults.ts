/** How upgrades go wrong: set by tests, read at each upgrade. By default nothing does. */
export interface StreamFaults {
  /** WebSockets are refused with this status, as older API servers (403) and balancers (400) do. */
  webSocket: 0 | 400 | 403
  /** SPDY is refused with this status, as balancers do. */
  spdy: 0 | 400 | 403
  /** Any upgrade is answered with this, and the connection is kept; what then comes is in the record. */
  answer: {
    readonly status: number
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string
  } | null
  /** Upgrades are not answered at all. */
  isSilent: boolean
  /** Of the 101: another `Sec-WebSocket-Accept` than the key's. */
  wrongAccept: boolean
  /** Of the 101: this protocol, whatever was offered. */
  protocol: string | null
  /** Of the 101: `Sec-WebSocket-Extensions`. */
  extension: string | null
  /**
   * How an exec or attach ends that has to tell its Status, and the first connection that is forwarded: `close` without it, but in the protocol's
   * own way; `cut` by an end of TLS and TCP; `reset` by an end of TCP alone; `half` ends the outputs, says nothing, and leaves the
   * connection open; `overlong` by a frame that promises more bytes than follow.
   */
  ending: 'status' | 'close' | 'cut' | 'reset' | 'half' | 'overlong'
  /** Messages of WebSockets come in fragments of this many bytes; 0: whole. */
  fragmentBytes: number
  /** Nothing of the client's is read until this resolves. */
  reading: Promise<void> | null
}

export function noFaults(): StreamFaults {
  return {
    webSocket: 0,
    spdy: 0,
    answer: null,
    isSilent: false,
    wrongAccept: false,
    protocol: null,
    extension: null,
    ending: 'status',
    fragmentBytes: 0,
    reading: null,
  }
}
