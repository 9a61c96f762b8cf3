import type { Command } from 'commander'
import type { AuditRecord, AuditReport } from '../../contract/audit.ts'
import type { Input } from '../../contract/routes.ts'
import type { ApiClient } from '../api/api-client.ts'
import { readList } from '../api/read-list.ts'
import type { Register } from '../cli.ts'
import { filtersOf, type ListOptions, listOptions, moment, printList } from '../lists.ts'
import { escapeJson, exitCodes, printJson, printLine } from '../output.ts'

type AuditQuery = Input<'GET /api/v1/audit/events', 'query'>

interface SearchOptions extends ListOptions {
  /** As typed; the broker rejects unknown types. */
  type?: AuditQuery['type']
  actor?: string
  subject?: string
}

interface VerifyOptions {
  export?: string
  store?: string
  recordings?: string
  publicKey?: string
  anchor?: string[]
  json?: boolean
}

export const registerAudit: Register = (program) => {
  const audit = program.command('audit').description('read and verify the audit log')
  registerTail(program, audit)
  registerSearch(program, audit)
  registerExport(program, audit)
  registerVerify(program, audit)
}

const openApi = async (program: Command): Promise<ApiClient> => {
  const { openApiClient } = await import('../login/login-store.ts')
  return await openApiClient(program.opts())
}

function registerTail(program: Command, audit: Command): void {
  audit
    .command('tail')
    .description('print events as they are written, until Ctrl-C')
    .option('--since <when>', 'start this long ago, or at this time', moment)
    .option('--no-follow', 'stop after the newest event')
    .option('--json', 'print JSON lines')
    .action(async (options: { since?: number; follow: boolean; json?: boolean }) => {
      const api = await openApi(program)
      const print = options.json ? printJsonLine : printEvent
      const since = options.since ?? (options.follow ? undefined : Date.now() - 3_600_000)
      const all = { all: true }
      const past = since === undefined ? [] : (await readList(api, 'GET /api/v1/audit/events', { since }, all)).items
      const events = past.toReversed()
      for (const event of events) print(event)
      if (!options.follow) return
      const { streamLines } = await import('../api/api-stream.ts')
      const after = events.at(-1)?.seq
      for await (const line of streamLines(api, 'GET /api/v1/audit/tail', { query: { after } })) print(JSON.parse(line))
    })
}

function registerSearch(program: Command, audit: Command): void {
  const search = audit
    .command('search')
    .description('print the newest events that match, oldest first')
    .option('--type <type...>', 'only these types, e.g. session.denied')
    .option('--actor <principal>', 'only what this principal did, or system')
    .option(
      '--subject <id>',
      'only events with this in a field: a grant, session or request id, a principal, a resource',
    )
  listOptions(search, {
    who: 'only events by or about this principal',
    resource: 'only events about this resource',
    time: 'only events that happened',
  }).action(async (options: SearchOptions) => {
    const { type, actor, subject } = options
    const api = await openApi(program)
    const query = { type, actor, subject, ...filtersOf(options) }
    const found = await readList(api, 'GET /api/v1/audit/events', query, options)
    printList({ ...found, items: found.items.toReversed() }, options, (events) => {
      if (events.length === 0) process.stdout.write('no matching events\n')
      else for (const event of events) printEvent(event)
    })
  })
}

function registerExport(program: Command, audit: Command): void {
  audit
    .command('export')
    .description('print the whole log as JSON lines, for archives and for `audit verify --export`')
    .option('--out <file>', 'write to this file instead of standard output')
    .action(async (options: { out?: string }) => {
      const api = await openApi(program)
      const [{ streamLines }, { pipeline }, fs] = await Promise.all([
        import('../api/api-stream.ts'),
        import('node:stream/promises'),
        import('node:fs'),
      ])
      let count = 0
      const text = async function* () {
        for await (const line of streamLines(api, 'GET /api/v1/audit/export')) {
          count += 1
          yield `${options.out === undefined && process.stdout.isTTY ? escapeJson(line) : line}\n`
        }
      }
      if (options.out === undefined) await pipeline(text, process.stdout, { end: false })
      else await pipeline(text, fs.createWriteStream(options.out, { mode: 0o600 }))
      if (options.out !== undefined) process.stdout.write(`wrote ${count} lines to ${options.out}\n`)
    })
}

function registerVerify(program: Command, audit: Command): void {
  audit
    .command('verify')
    .description("verify the daemon's log or, with --export or --store, a copy of it without a daemon")
    .option('--export <file>', 'file written by `audit export`')
    .option('--store <url>', 'sqlite:PATH of a copy, or of the store of a stopped daemon')
    .option('--recordings <dir>', 'also check the recordings in this folder')
    .option('--public-key <file>', 'PEM file with the public signing key (required with --export and --store)')
    .option('--anchor <file>', 'file with checkpoints kept outside the broker; repeatable', collect)
    .option('--json', 'print JSON')
    .action(async (options: VerifyOptions) => {
      const isOffline = options.export !== undefined || options.store !== undefined
      const report = isOffline ? await verifyCopy(options) : await verifyOnline(await openApi(program), options)
      if (options.json) printJson(report)
      else printReport(report)
      if (!report.ok) process.exitCode = exitCodes.failed
    })
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value]
}

async function verifyOnline(api: ApiClient, options: VerifyOptions): Promise<AuditReport> {
  if (options.publicKey !== undefined || options.anchor !== undefined || options.recordings !== undefined)
    throw new Error('--public-key, --anchor and --recordings need --export or --store')
  return await api.call('GET /api/v1/audit/verify')
}

async function verifyCopy(options: VerifyOptions): Promise<AuditReport> {
  if (options.publicKey === undefined) throw new Error('name the public signing key of the log: --public-key FILE')
  // Needs no daemon, so anyone who holds a copy can run it.
  const [{ verifyOffline }, { readFileSync }] = await Promise.all([
    import('../../audit/verify/offline-verify.ts'),
    import('node:fs'),
  ])
  return await verifyOffline({
    ...(options.export === undefined ? {} : { exportFile: options.export }),
    ...(options.store === undefined ? {} : { store: options.store }),
    ...(options.recordings === undefined ? {} : { recordings: options.recordings }),
    publicKeyPem: readFileSync(options.publicKey, 'utf8'),
    anchorFiles: options.anchor ?? [],
  })
}

function printJsonLine(event: AuditRecord): void {
  process.stdout.write(`${escapeJson(JSON.stringify(event))}\n`)
}

function printEvent({ seq, at, type, actor, fields, text }: AuditRecord): void {
  const members = Object.entries({ ...fields, ...text })
    .filter(([, value]) => value !== null && value !== '')
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
  const line = [String(seq).padStart(5), new Date(at).toISOString(), type.padEnd(20), actor, ...members].join('  ')
  printLine(line)
}

function printReport(report: AuditReport): void {
  printLine(report.summary)
  const recordings = report.recordings === null ? '' : `, ${report.recordings} recordings compared`
  printLine(`${report.checkpoints} checkpoints${recordings}; installation ${report.installation}`)
  for (const { where, at, what } of report.problems) printLine(`${where} ${at}: ${what}`)
  if (report.problemCount > report.problems.length) printLine(`… ${report.problemCount - report.problems.length} more`)
  for (const note of report.notes) printLine(`note: ${note}`)
}
