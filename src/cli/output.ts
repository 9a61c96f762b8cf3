import { once } from 'node:events'
import { printable } from '../../proxy/printable.ts'
import { BrokerError, type ErrorCode, errors } from '../../proxy/session.ts'
import type { Named } from '../contract/references.ts'

export const exitCodes = { done: 0, failed: 1, usage: 2, notLoggedIn: 3, denied: 4, unreachable: 5 } as const

/** Prints what went wrong to stderr and returns the exit code for it. */
export function fail(error: unknown): number {
  const { message, hint, code, exitCode } = error as Error & { hint?: string; code?: unknown; exitCode?: number }
  if (code === 'EPIPE') return exitCodes.done // nobody reads on
  if (String(code).startsWith('commander.')) return exitCode === 0 ? exitCodes.done : exitCodes.usage // it has printed why
  // Either may quote another person. Further lines are indented, so that none passes for a message of ours.
  for (const text of [`sallyport: ${message}`, ...(hint ? [`  ${hint}`] : [])])
    process.stderr.write(`${text.split('\n').map(printable).join('\n    ')}\n`)
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
  process.stdout.write(`${escapeJson(JSON.stringify(value, null, 2))}\n`)
}

/** The same JSON, without the control characters that JSON allows: C1, DEL and those that reorder a line. */
export function escapeJson(json: string): string {
  return json.replace(/[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu, (found) =>
    Array.from({ length: found.length }, (_, i) => `\\u${found.charCodeAt(i).toString(16).padStart(4, '0')}`).join(''),
  )
}

/** One line for people, on stdout. */
/** A name that the identity provider doesn't vouch for comes with who it is there. */
export function shownName({ name, unverified }: Named): string {
  return unverified ? `${name} (${unverified.subject} at ${unverified.issuer})` : name
}

export function printLine(text: string): void {
  process.stdout.write(`${printable(text)}\n`)
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

/** Resolves once more may be written: what is long must not wait in memory for a slow reader. */
export async function writeOut(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain')
}

/** UTC to the minute for people; `--json` carries epoch milliseconds. */
export function when(at: number | null): string {
  return at === null ? '-' : `${new Date(at).toISOString().replace('T', ' ').slice(0, 16)} UTC`
}
