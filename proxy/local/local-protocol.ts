import type { Socket } from 'node:net'
import type { BrokerAsk } from './broker-socket.ts'
import type { RelayListener } from './relay.ts'

/** How the clients of one local port reach their resource. */
export interface ClientOptions extends Omit<BrokerAsk, 'bearer' | 'tool' | 'protocol'>, RelayListener {
  /** Read anew for each client, so that a new sign-in is picked up. */
  bearer(): Promise<string>
  /** Printable ASCII; null: none is asked for. */
  readonly password: string | null
  /** What a client has for its first message and the password; 60 s by default. */
  readonly signInTimeoutMs?: number
}

/** The side of a wire protocol that runs on an engineer's machine. */
export interface LocalProtocol {
  readonly name: string
  /** File name of a Unix socket, by which clients find it. */
  socketName(port: number): string
  /** @returns serves one client from its first byte on, and never rejects */
  begin(options: ClientOptions): (socket: Socket) => Promise<void>
}
