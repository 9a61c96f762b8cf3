import type { Socket } from 'node:net'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { Leaf } from '../certificates.ts'
import type { RdsListener } from '../rds-listener.ts'
import type { RecordedGreeting } from './greetings.ts'
import type { MariaDb } from './mariadb.ts'

/** Where a server says nothing more. `session`: after sign-in, it answers no command. */
export type Hang = 'greeting' | 'tls' | 'login' | 'session'

export interface Refusal {
  readonly code: number
  /** Null, as errors in place of the greeting have it. */
  readonly sqlState: string | null
  readonly text: string
}

/** Every knob stays until it is turned back, or until `clear()`. */
export interface RdsMySqlFaults {
  /** Nobody listens, and open connections are lost. */
  down(on: boolean): Promise<void>
  /** Every token is refused, as with a missing permission. */
  refuse(on: boolean): void
  /** The endpoint takes this long to answer a connection. */
  slow(ms: number): void
  /** An ERR in place of the greeting, e.g. 1040 (too many connections) or 1129 (host is blocked). */
  refuseGreeting(refusal: Refusal | null): void
  /** Says nothing more from there on. */
  hang(where: Hang | null): void
  /** Greets as another server does: version, capabilities, plugin. What follows is MariaDB's all the same. */
  greeting(recorded: RecordedGreeting | null): void
  /** Asks users of IAM for an answer of this plugin instead of mysql_clear_password. */
  plugin(name: string | null): void
  /** What follows the plugin in the switch packet. Nothing at first, as MariaDB's PAM plugin has it. */
  switchData(data: Uint8Array): void
  /** Greets without TLS, and asks for the token in plain text. */
  plaintext(on: boolean): void
  /** Shows this certificate instead: another authority's, or another name's. Null: its own. */
  certificate(leaf: Leaf | null): void
  /** Cuts every signed-in connection in the middle of whatever it does; says how many. */
  dropSessions(): number
  /** A signed-in connection dies once it has sent so many bytes more, were it in the middle of a packet. */
  dieAfter(bytes: number | null): void
  /** Answers every query with the request to send this file. */
  askForFile(name: string | null): void
  /** Answers commands that hold this text with 1227 (a privilege is missing). */
  refuseText(text: string | null): void
  /** What clients sent of files that they were asked for. */
  readonly filesGot: Buffer[]
  /** The server behind becomes a reader, as after a failover: writes are refused with 1290. */
  readOnly(on: boolean): Promise<void>
  /** New connections reach another server, as when the endpoint's name has moved. Null: back. */
  behind(mariadb: MariaDb | null): void
  clear(): Promise<void>
}

/** How the knobs stand. */
export interface Wrong {
  context: SecureContext
  refuse: boolean
  plaintext: boolean
  slowMs: number
  refusal: Refusal | null
  hangs: Hang | null
  greeting: RecordedGreeting | null
  plugin: string | null
  switchData: Uint8Array
  dieAfterBytes: number | null
  asksForFile: string | null
  refusedText: string | null
  behind: MariaDb | null
  readonly filesGot: Buffer[]
}

export function createRdsMySqlFaults(own: SecureContext, sessions: ReadonlySet<Socket>) {
  const right = (): Omit<Wrong, 'filesGot'> => ({
    context: own,
    refuse: false,
    plaintext: false,
    slowMs: 0,
    refusal: null,
    hangs: null,
    greeting: null,
    plugin: null,
    switchData: Buffer.alloc(0),
    dieAfterBytes: null,
    asksForFile: null,
    refusedText: null,
    behind: null,
  })
  const wrong: Wrong = { ...right(), filesGot: [] }
  const set = (change: Partial<Wrong>) => void Object.assign(wrong, change)
  const createKnobs = ({ down }: RdsListener, mariadb: MariaDb): RdsMySqlFaults => {
    const readOnly = async (on: boolean) => {
      await mariadb.query(`SET GLOBAL read_only = ${on ? 1 : 0}`)
    }
    return {
      down,
      refuse: (refuse) => set({ refuse }),
      slow: (slowMs) => set({ slowMs }),
      refuseGreeting: (refusal) => set({ refusal }),
      hang: (hangs) => set({ hangs }),
      greeting: (greeting) => set({ greeting }),
      plugin: (plugin) => set({ plugin }),
      switchData: (switchData) => set({ switchData }),
      plaintext: (plaintext) => set({ plaintext }),
      certificate: (leaf) => set({ context: leaf ? createSecureContext(leaf) : own }),
      dropSessions: () => {
        const { size } = sessions
        for (const socket of sessions) socket.destroy()
        return size
      },
      dieAfter: (dieAfterBytes) => set({ dieAfterBytes }),
      askForFile: (asksForFile) => set({ asksForFile }),
      refuseText: (refusedText) => set({ refusedText }),
      filesGot: wrong.filesGot,
      readOnly,
      behind: (behind) => set({ behind }),
      clear: async () => {
        set(right())
        wrong.filesGot.length = 0
        await readOnly(false)
        await down(false)
      },
    }
  }
  return { wrong, createKnobs }
}
