import type { TerminalSize } from '../ssm/terminal.ts'

/** What the engine of shells goes by; made by the kind. */
export interface ShellRules {
  /** By a key of KMS, beyond TLS; a session that is not is refused. */
  readonly isEncrypted: boolean
  /** What is typed is recorded as well, which the person is told. */
  readonly recordsInput: boolean
  /** 0: that of the broker alone. */
  readonly idleTimeoutMs: number
  /** For the session's row and its end event: OS user, document … */
  readonly detail: Readonly<Record<string, string>>
  /** The same of a single command; null: the level runs none. */
  readonly commandDetail: Readonly<Record<string, string>> | null
}

/** What a session runs: a shell in a terminal of that size, or one command without one, a text for `sh -c`. */
export type ShellWork =
  | { readonly size: TerminalSize; readonly command?: undefined }
  | { readonly command: string; readonly size?: undefined }

/** Of the text of a command; Session Manager takes parameters of up to 65,535 characters. */
export const longestCommand = 32_768

/** Agents take sixteen bits. */
const mostCells = 65_535

export function isTerminalSize({ cols, rows }: TerminalSize): boolean {
  return [cols, rows].every((count) => Number.isInteger(count) && count > 0 && count <= mostCells)
}

/** The object that a client's JSON text is; an empty one for anything else. */
export function parseObject(text: Buffer): Readonly<Record<string, unknown>> {
  try {
    const read: unknown = JSON.parse(text.toString())
    return typeof read === 'object' && read !== null ? (read as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
