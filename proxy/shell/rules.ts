import type { TerminalSize } from '../ssm/terminal.ts'

/** What the engine of shells goes by; made by the kind. */
export interface ShellRules {
  /** What is typed is recorded as well, which the person is told. */
  readonly recordsInput: boolean
  /** 0: that of the broker alone. */
  readonly idleTimeoutMs: number
  /** For the session's row and its end event: OS user, document … */
  readonly detail: Readonly<Record<string, string>>
}

/** Agents take sixteen bits. */
const mostCells = 65_535

export function isTerminalSize({ cols, rows }: TerminalSize): boolean {
  return [cols, rows].every((count) => Number.isInteger(count) && count > 0 && count <= mostCells)
}
