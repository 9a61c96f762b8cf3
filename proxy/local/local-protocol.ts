import type { Socket } from 'node:net'
import type { BrokerAsk } from './broker-socket.ts'
import type { ClientSettings, SettingsFormats } from './client-settings.ts'
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

/** Who a session is tried as: names that the broker does not go by, but clients must give. */
export interface TriedClient {
  readonly user: string
  readonly database: string
}

/** The side of a wire protocol that runs on an engineer's machine. */
export interface LocalProtocol {
  readonly name: string
  /** Of its servers; a Unix socket is named by it. */
  readonly usualPort: number
  /** For clients of a resource that has none; empty: they choose none. */
  readonly usualDatabase: string
  readonly settings: SettingsFormats
  /** Its clients are told by the broker before their session ends; else the command that opened the port says it. */
  readonly tellsOfEnd: boolean
  /** File name of a Unix socket, by which clients find it. */
  socketName(port: number): string
  /** @returns serves one client from its first byte on, and never rejects */
  begin(options: ClientOptions): (socket: Socket) => Promise<void>
  /**
   * Opens a session and ends it at once: only the broker knows whether and why it refuses, and it audits the refusal.
   * @throws BrokerError the refusal, with its reason and what to do
   */
  trySession(ask: Omit<BrokerAsk, 'protocol'>, client: TriedClient): Promise<void>
  /** Left out: its clients have no password file with entries for single ports. */
  readonly passwordFile?: PasswordFile
}

export interface PasswordFile {
  path(env: NodeJS.ProcessEnv): string
  /** @returns removes the entries again @throws BrokerError CONFIG_INVALID when it is no regular file */
  add(path: string, settings: readonly ClientSettings[]): Promise<() => Promise<void>>
}
