import { ProtocolFault, parseObject } from './frames.ts'

/** A session document as the agent reads it, with the parameters in place. */
export interface SessionSpec {
  readonly target: string
  readonly sessionType: 'Standard_Stream' | 'InteractiveCommands' | 'NonInteractiveCommands' | 'Port'
  readonly properties?: Readonly<Record<string, string>>
  /** Of `NonInteractiveCommands`. */
  readonly command?: string
  /** Its document does not say `separateOutputStream`. */
  readonly isMixed?: boolean
  /** Encrypts the session. */
  readonly kms?: SandboxKey
}

/** A key of KMS, as far as sessions need it. */
export interface SandboxKey {
  readonly keyId: string
  /** @returns null: it was encrypted with another context */
  decrypt(ciphertext: Buffer, context: Readonly<Record<string, string>>): Buffer | null
}

export interface AgentOptions {
  readonly agentVersion: string
  /** After each message. */
  readonly pauseMs: number
  readonly keepaliveMs: number
  /** Older agents send none. */
  readonly hasChallenge: boolean
  readonly customerMessage: string
  /** Asked for besides the usual. */
  readonly extraActions: readonly string[]
  /** What the instance's network leads to instead, by `host:port`. */
  readonly reaches: Readonly<Record<string, { readonly host: string; readonly port: number }>>
  /** Folder with the `bin` and `etc` of the instance; empty: those of this machine. */
  readonly root: string
  /** What shells are; left out: `sh` under a pty. */
  readonly shell?: StartWork
}

/** What a type of session does with the client's data. */
export interface AgentWork {
  /** @returns false: not ready for it */
  take(payloadType: number, payload: Buffer): boolean
  /** Its local socket is full: the websocket's reader blocks, and nothing is acknowledged. */
  isFull?(): boolean
  stop(): void
}

export type Output = (payloadType: number, bytes: Buffer) => Promise<void>
export type StartWork = (spec: SessionSpec, parts: WorkParts) => AgentWork

export interface WorkParts {
  readonly output: Output
  readonly options: AgentOptions
  /** The client must not send it. */
  fault(text: string): void
  /** The session has ended by itself. */
  end(output?: string): void
}

/** `{"cols":80,"rows":24}` @throws ProtocolFault */
export function parseSize(payload: Buffer): { cols: number; rows: number } {
  const { cols, rows } = parseObject(payload.toString(), 'a size')
  if (!Number.isInteger(cols) || !Number.isInteger(rows)) throw new ProtocolFault('a size without cols and rows')
  return { cols: Number(cols) & 0xffff, rows: Number(rows) & 0xffff }
}

/** Of versions with numbers between dots. */
export function isAbove(version: string, than: readonly number[]): boolean {
  const parts = version.split('.').map(Number)
  const at = than.findIndex((part, i) => part !== parts[i])
  return at >= 0 && (parts[at] ?? 0) > (than[at] ?? 0)
}
