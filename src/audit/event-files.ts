/** Events as files that people open with other programs. They prove nothing: for that there is the export of the whole log. */
import type { AuditRecord } from './audit.ts'

type EventFormat = 'csv' | 'jsonl'

/** The lines of a file, each with its line break. */
export async function* eventFile(events: AsyncIterable<AuditRecord>, format: EventFormat): AsyncGenerator<string> {
  if (format === 'csv') yield csvLine(columns)
  for await (const event of events) yield format === 'csv' ? csvLine(cellsOf(event)) : `${JSON.stringify(event)}\n`
}

const columns = ['seq', 'time', 'type', 'actor', 'fields', 'text', 'hash']

function cellsOf({ seq, at, type, actor, fields, text = {}, hash }: AuditRecord): string[] {
  return [String(seq), new Date(at).toISOString(), type, actor, JSON.stringify(fields), JSON.stringify(text), hash]
}

/** RFC 4180, but with a line feed alone, as programs of Unix expect it. */
function csvLine(cells: readonly string[]): string {
  return `${cells.map(csvCell).join(',')}\n`
}

/** What a spreadsheet would take for a formula gets a quote in front of it (OWASP, "CSV Injection"). */
function csvCell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
