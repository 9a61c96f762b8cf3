import { BrokerError, type ErrorCode, errors } from '../../proxy/session.ts'

export const exitCodes = { done: 0, failed: 1, usage: 2, notLoggedIn: 3, denied: 4, unreachable: 5 } as const

/** Prints what went wrong to stderr and returns the exit code for it. */
export function fail(error: unknown): number {
  const { message, hint, code, exitCode } = error as Error & { hint?: string; code?: unknown; exitCode?: number }
  if (String(code).startsWith('commander.')) return exitCode === 0 ? exitCodes.done : exitCodes.usage // it has printed why
  process.stderr.write(`sallyport: ${message}\n${hint ? `  ${hint}\n` : ''}`)
  return error instanceof BrokerError ? exitCodeOf(error.code) : exitCodes.failed
}

export function exitCodeOf(code: ErrorCode): number {
  const { status } = errors[code]
  if (status === 401) return exitCodes.notLoggedIn
  if (status === 403) return exitCodes.denied
  if (status === 502 || status === 503) return exitCodes.unreachable
  return exitCodes.failed
}

/** One JSON document for `--json`. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}

/** A table for people; says so when there is nothing. Control characters of other people's text are made visible. */
export function printTable(headings: readonly string[], rows: readonly (readonly string[])[], empty: string): void {
  if (rows.length === 0) {
    process.stdout.write(`${empty}\n`)
    return
  }
  const table = [headings, ...rows].map((row) => row.map(printable))
  const widths = headings.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)))
  for (const row of table)
    process.stdout.write(
      `${row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    )
}

/** Escapes control and formatting characters, so that a reason or a query can't drive the reader's terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, (c) => `\\u{${c.codePointAt(0)?.toString(16)}}`)
}

/** Local time to the minute for tables; `--json` carries epoch milliseconds. */
export function when(at: number | null): string {
  return at === null ? '-' : new Date(at).toISOString().replace('T', ' ').slice(0, 16)
}
