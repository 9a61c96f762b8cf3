import type { TerminalSize } from '../../ssm/terminal.ts'
import type { ExitStatus } from '../../wire/kubernetes/status.ts'

/**
 * Reads along an upgraded connection, whose bytes pass as they are. Each chunk is shown to it first, and is passed on unless that throws.
 */
export interface StreamTap {
  /** Bytes of content so far, in both directions: neither frames nor the pings that clients send when nothing happens. */
  readonly carried: number
  /** Bytes of the client. @throws WireError, or what an event threw */
  up(chunk: Buffer): void
  /** Bytes of the server, likewise. */
  down(chunk: Buffer): void
  /**
   * Instead of `down` when the session is cut: reads to the next place where {@link farewell} can be said.
   * @returns how many bytes of the chunk are still to be passed on
   */
  complete(chunk: Buffer): number
  /**
   * What ends the connection so that the client shows the text and fails, to be sent behind what has passed down. Null: it cannot be said now, since
   * a frame is under way, or the client has not opened the stream for it.
   */
  farewell(text: string): Buffer | null
  /**
   * After `down` or `complete` threw: how many bytes of that chunk may be passed on, so that the client is where the tap is. Left out: that is not known, and
   * nothing can be said.
   */
  readonly wholeBytes?: number
  /**
   * The frame under way will not come to its end: bytes that end it for the client, behind which {@link farewell} can be said. Null: there are none. Left out:
   * never any, since no client takes that end for success.
   */
  breakOff?(): Buffer | null
  /** What the client waits for before {@link farewell} can be said to it; null: nothing now. Left out: never anything. */
  meanwhile?(): Buffer | null
  /** What follows it, and closes the connection: clients show a text of {@link farewell} only while that is open. Left out: nothing. */
  parting?(): Buffer
}

/** Gets what a tap of exec or attach reads. Bytes are valid during the call only. What it throws ends the session. */
export interface ExecEvents {
  input(bytes: Buffer): void
  /** The client has ended it. */
  inputEnded(): void
  output(bytes: Buffer, isError: boolean): void
  resize(size: TerminalSize): void
}

/** Where the person is shown a text of the broker: on a terminal there is no stream of errors. */
export type RemarkStream = 'stdout' | 'stderr'

export interface ExecTap extends StreamTap {
  /** A text on that stream, to be sent behind what has passed down. Null: not now, since a frame or a message is under way, or there is no such stream. */
  remark(text: string, on: RemarkStream): Buffer | null
  /** How the program ended; null: the server has not said it. */
  exitStatus(): ExitStatus | null
}

/** One connection to a port of a pod. */
export interface ForwardedConnection {
  readonly port: number
  readonly bytesUp: number
  readonly bytesDown: number
  /** What the server said was wrong; empty: nothing. */
  readonly error: string
}

/** Gets what a tap of port-forward reads. */
export interface ForwardEvents {
  /** What it throws ends the session. */
  opened(connection: ForwardedConnection): void
  ended(connection: ForwardedConnection): void
}

export interface ForwardTap extends StreamTap {
  /** The client's connection is over, and with it all that went through it. */
  end(): void
}
