import type { Command } from 'commander'
import type { RecordedEntry, RecordingHeader, RecordingView } from '../../contract/recordings.ts'
import { readList } from '../api/read-list.ts'
import type { Register } from '../cli.ts'
import { filtersOf, type ListOptions, listOptions, printList } from '../lists.ts'
import { escapeJson, printLine, printTable, when } from '../output.ts'
import { registerRecordingSearch } from './recording-search.ts'

export const registerRecordings: Register = (program) => {
  const recordings = program.command('recordings').description('list, replay and search recorded sessions')
  const list = recordings
    .command('ls')
    .description('list recordings, newest first')
    .option('--open', 'only those of open sessions')
  listOptions(list, {
    who: 'only recordings of this principal',
    resource: 'only recordings of this resource',
    time: 'only recordings of sessions that were opened',
  }).action(async (options: ListOptions & { open?: boolean }) => {
    const { openApiClient } = await import('../login/login-store.ts')
    const api = await openApiClient(program.opts())
    const query = { ...filtersOf(options), open: options.open }
    printList(await readList(api, 'GET /api/v1/recordings', query, options), options, printFound)
  })
  registerPlay(program, recordings)
  registerRecordingSearch(program, recordings)
}

function registerPlay(program: Command, recordings: Command): void {
  recordings
    .command('play <session>')
    .description('print the statements of a session with values, duration, rows and errors')
    .option('--json', 'print JSON lines')
    .action(async (id: string, options: { json?: boolean }) => {
      const [{ openApiClient }, { streamLines }] = await Promise.all([
        import('../login/login-store.ts'),
        import('../api/api-stream.ts'),
      ])
      const api = await openApiClient(program.opts())
      let isFirst = true
      const running = new Map<number, Entry>()
      for await (const line of streamLines(api, 'GET /api/v1/recordings/:sessionId', { params: { sessionId: id } })) {
        if (options.json) process.stdout.write(`${escapeJson(line)}\n`)
        else if (isFirst) printHeader(JSON.parse(line))
        else play(JSON.parse(line), running)
        isFirst = false
      }
      for (const entry of running.values()) printEntry(entry)
    })
}

function printFound(found: readonly RecordingView[]): void {
  printTable(
    ['SESSION', 'WHO', 'RESOURCE', 'LEVEL', 'OPENED', 'ENDED', 'END REASON', 'STATEMENTS'],
    found.map((r) => [
      r.id,
      r.principal,
      r.resourceId,
      r.level,
      when(r.openedAt),
      when(r.endedAt),
      r.endReason ?? 'open',
      r.endedAt === null ? '' : String(r.entries),
    ]),
    'no recordings',
  )
}

function printHeader({ session, verified }: RecordingHeader): void {
  printLine(`${session.id}: ${session.principal} on ${session.resourceId} at level ${session.level}`)
  const ended = session.endedAt === null ? 'still open' : `${when(session.endedAt)} (${session.endReason})`
  printLine(`${when(session.openedAt)} – ${ended}; ${verified.entries} entries`)
  printLine(
    verified.ok ? 'recording verified' : `VERIFICATION FAILED: ${verified.problem ?? 'the recording does not match'}`,
  )
}

/** Prints an entry, unless a later one may say how it ended. @param running those, by the number of their request */
function play(entry: Entry, running: Map<number, Entry>): void {
  if (entry.request !== undefined && entry.begun) {
    running.set(entry.request, entry)
    return
  }
  if (entry.request !== undefined) running.delete(entry.request)
  printEntry(entry)
}

/** With the members that a statement may have. */
type Entry = RecordedEntry & {
  at?: number
  type?: string
  request?: number
  begun?: true
  unsent?: true
  sql?: string
  values?: unknown[]
  ms?: number
  rows?: number
  tags?: string[]
  error?: { code: string; message: string }
}

/** Members of an entry that are written in a way of their own; any other is shown as JSON. */
const known = ['at', 'type', 'request', 'begun', 'unsent', 'sql', 'values', 'ms', 'rows', 'tags', 'error']

function printEntry(entry: Entry): void {
  const { at, type = '', sql, values, ms, rows, tags, error } = entry
  const time = at === undefined ? '' : new Date(at).toISOString().slice(11, 23)
  const outcome = error ? `ERROR ${error.code}: ${error.message}` : (tags ?? []).join(', ') || `${rows ?? 0} rows`
  printLine('')
  if (entry.begun) printLine(`${time}  ${type}  no end is on record: it was still running, or the recording broke off`)
  else if (entry.unsent) printLine(`${time}  ${type}  not sent to the target: the session ended first`)
  else printLine(ms === undefined ? `${time}  ${type}` : `${time}  ${type}  ${ms} ms  ${outcome}`)
  for (const line of (sql ?? '').split('\n')) if (line !== '') printLine(`    ${line}`)
  values?.forEach((value, i) => {
    printLine(`    $${i + 1} = ${value === null ? 'NULL' : JSON.stringify(value)}`)
  })
  for (const [name, value] of Object.entries(entry))
    if (!known.includes(name)) printLine(`    ${name}: ${JSON.stringify(value)}`)
}
