import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { SecureContext } from 'node:tls'
import type { WebSocket } from 'ws'
import type { Identity, StreamTo } from '../doorman.ts'
import type { Reach } from '../reach/reach.ts'
import type { Trust } from '../reach/trust.ts'
import type { BrokerError, ClientOrigin, EndReason } from '../session.ts'
import type { TerminalSize } from '../ssm/terminal.ts'
import type { SessionHost } from './session-host.ts'

/** Dependencies of every protocol's engine. */
export interface ProtocolParts {
  readonly host: SessionHost
  readonly reach: Reach
  readonly trust: Trust
  /** For the log, with the cause of what was not the client's fault. */
  onRefused(error: BrokerError, client: ClientOrigin): void
  /** For the log: errors that no client can be told. `sessionId` is empty before there is one. */
  onError(error: unknown, sessionId: string): void
  /** Epoch milliseconds. */
  readonly now: () => number
  /** For a client's whole sign-in, milliseconds; 30 s by default. */
  readonly signInMs?: number
  /** How long a terminal waits for a client that was lost, milliseconds; 60 s by default. */
  readonly resumeMs?: number
}

export interface PortOptions {
  /** Called for each client, so that a certificate can be renewed. */
  secureContext(): SecureContext
  /** Pins the port: a token for another resource is refused. */
  readonly resourceId?: string
  /** Called once the client is known. */
  signedIn(): void
}

/** What is known of a websocket's client before its first byte. */
export interface KnownClient {
  readonly identity: Identity
  readonly resourceId: string
  readonly level?: string
  readonly client: ClientOrigin
  /** Used when the client does not name its tool. */
  readonly tool?: string
  /** Of a stream through an instance. */
  readonly to?: StreamTo
}

/** One wire protocol: serves every kind that names it. */
export interface Protocol {
  readonly name: string
  /** Serves one client of the protocol port, from its first byte to its last. Never rejects. */
  servePort(socket: Socket, client: ClientOrigin, options: PortOptions): Promise<void>
  /**
   * Serves one client that has signed in already, behind a websocket. The caller closes the websocket when the stream has closed.
   * @returns why its session ended; undefined: it never had one. Never rejects
   */
  serveStream(stream: Duplex, known: KnownClient): Promise<EndReason | undefined>
}

/** What serves terminals, whose clients come by websocket alone: it has no port. */
export interface TerminalProtocol {
  readonly name: string
  /**
   * Serves one terminal that has signed in already, and closes its websocket.
   * @param isResumable a client that is lost may come back, by a key that it is told
   * @returns why its session ended; undefined: it never had one. Never rejects
   */
  serveTerminal(
    socket: WebSocket,
    known: KnownClient,
    size: TerminalSize,
    isResumable?: boolean,
  ): Promise<EndReason | undefined>
  /** A client that was lost is back; its first message has the key. Never rejects. */
  resumeTerminal(socket: WebSocket, known: KnownClient): Promise<void>
  /** The same of one command without a terminal, which is the client's first message. */
  serveCommand(socket: WebSocket, known: KnownClient): Promise<EndReason | undefined>
}

/** What serves streams of bytes through instances, which nothing here reads. Their clients come by websocket alone, too. */
export interface StreamProtocol {
  readonly name: string
  /**
   * Serves one client that has signed in already, and closes its websocket.
   * @returns why its session ended; undefined: it never had one. Never rejects
   */
  serveSocket(socket: WebSocket, known: KnownClient): Promise<EndReason | undefined>
}
