import { type Command, InvalidArgumentError } from 'commander'
import type { RecordedEntry, RecordingHeader, RecordingView } from '../../contract/recordings.ts'
import { readList } from '../api/read-list.ts'
import type { Register } from '../cli.ts'
import { filtersOf, type ListOptions, listOptions, printList } from '../lists.ts'
import { escapeJson, exitCodes, printLine, printTable, when, writeOut } from '../output.ts'
import { type Moment, readMoment } from './moment.ts'
import type { TerminalPlayer } from './recorded-terminal.ts'
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
  registerExport(program, recordings)
  recordings
    .command('watch <session>')
    .description('show the terminal of a session that runs, read-only; the person is told. Ctrl-C leaves')
    .action(async (id: string) => {
      const { watchTerminal } = await import('./recording-watch.ts')
      await watchTerminal(program, id)
    })
  registerRecordingSearch(program, recordings)
}

interface PlayOptions {
  readonly json?: boolean
  readonly speed: number
  readonly idle: number
  readonly from?: Moment
}

function registerPlay(program: Command, recordings: Command): void {
  recordings
    .command('play <session>')
    .description('print the statements of a session with values, duration, rows and errors; show a terminal as it was')
    .option('--speed <factor>', 'of a terminal: how much faster it is shown', positive, 1)
    .option('--idle <seconds>', 'of a terminal: the longest pause that is kept', positive, 2)
    .option(
      '--from <moment>',
      'of a terminal: begin there, with the screen as it was then: 12:34 or 90s after its beginning, or 2026-11-28T17:05:00Z',
      moment,
    )
    .option('--json', 'print JSON lines')
    .action(async (id: string, options: PlayOptions) => {
      const lines = await linesOf(program, id)
      if (options.json) for await (const line of lines) await writeOut(`${escapeJson(line)}\n`)
      else await playLines(lines, options)
    })
}

function registerExport(program: Command, recordings: Command): void {
  recordings
    .command('export <session>')
    .description('write the recording of a terminal for other players')
    .requiredOption('--cast', 'as an asciicast (version 2), which asciinema and other players show')
    .option('--out <file>', 'write to this file instead of standard output')
    .action(async (id: string, { out }: { out?: string }) => {
      const [{ openApiClient }, { openStream }, { pipeline }, fs] = await Promise.all([
        import('../login/login-store.ts'),
        import('../api/api-stream.ts'),
        import('node:stream/promises'),
        import('node:fs'),
      ])
      const api = await openApiClient(program.opts())
      const params = { sessionId: id }
      const key = 'GET /api/v1/recordings/:sessionId/cast'
      const { body, headers } = await openStream(api, key, 'application/x-asciicast', { params })
      if (headers.get('recording-verified') !== 'true') warnOfDamage(id)
      if (out === undefined) await pipeline(body ?? [], process.stdout, { end: false })
      else await pipeline(body ?? [], fs.createWriteStream(out, { mode: 0o600 }))
      if (out !== undefined) process.stdout.write(`wrote ${out}\n`)
    })
}

/** Of a program that Ctrl-C ended. */
const interrupted = 130

function positive(text: string): number {
  const value = Number(text)
  if (!(value > 0 && value < 1e6)) throw new InvalidArgumentError('expected a number above 0')
  return value
}

function moment(text: string): Moment {
  const read = readMoment(text)
  if (!read) throw new InvalidArgumentError('expected 12:34, 1:02:03, 90s or 2026-11-28T17:05:00Z')
  return read
}

/** The header, then each entry. */
async function linesOf(program: Command, sessionId: string): Promise<AsyncGenerator<string>> {
  const [{ openApiClient }, { streamLines }] = await Promise.all([
    import('../login/login-store.ts'),
    import('../api/api-stream.ts'),
  ])
  const api = await openApiClient(program.opts())
  return streamLines(api, 'GET /api/v1/recordings/:sessionId', { params: { sessionId } })
}

async function playLines(lines: AsyncIterable<string>, { speed, idle, from }: PlayOptions): Promise<void> {
  const running = new Map<number, Entry>()
  let isFirst = true
  let terminal: TerminalPlayer | undefined
  const stop = () => {
    terminal?.end()
    process.exit(interrupted)
  }
  process.once('SIGINT', stop)
  try {
    for await (const line of lines) {
      const entry = JSON.parse(line)
      if (isFirst) printHeader(entry)
      else if (entry.type === 'terminal') {
        terminal = await openPlayer(speed, idle, from)
        await terminal.play(entry)
      } else if (terminal) await terminal.play(entry)
      else play(entry, running)
      isFirst = false
    }
  } finally {
    process.off('SIGINT', stop)
    terminal?.end()
  }
  for (const entry of running.values()) printEntry(entry)
}

/** Output that is no terminal gets it all at once. */
async function openPlayer(speed: number, idle: number, from?: Moment): Promise<TerminalPlayer> {
  const [{ TerminalPlayer }, { sizeNotice }, { setTimeout: wait }] = await Promise.all([
    import('./recorded-terminal.ts'),
    import('./terminal-size.ts'),
    import('node:timers/promises'),
  ])
  return new TerminalPlayer({
    write: writeOut,
    speed,
    idleMs: idle * 1000,
    sizeNotice,
    ...(from ? { from } : {}),
    ...(process.stdout.isTTY ? { wait: (ms) => wait(ms) } : {}),
  })
}

function warnOfDamage(id: string): void {
  process.stderr.write(`sallyport: VERIFICATION FAILED; sallyport recordings play ${id} says where\n`)
  process.exitCode = exitCodes.failed
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
  printLine(verificationText(verified))
}

function verificationText({ ok, problem }: RecordingHeader['verified']): string {
  return ok ? 'recording verified' : `VERIFICATION FAILED: ${problem ?? 'the recording does not match'}`
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
