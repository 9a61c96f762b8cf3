import { CopyCut, CopySocket } from '../../../proxy/local/copy-socket.ts'
import { BrokerError } from '../../../proxy/session.ts'
import { type ConnectDeps, readBearer, warn } from '../connect/open-connections.ts'
import { describeEnd, endsGrant } from '../connect/session-end.ts'
import { chooseTarget, listResources } from '../connect/target.ts'
import { exitCodes, printJson, printLine } from '../output.ts'
import { type Place, readPlace } from './places.ts'
import { Progress, spokenBytes } from './progress.ts'
import { findDestination, receiveFiles } from './receive-files.ts'
import { type CopyReport, newReport } from './report.ts'
import { findSource, sendFiles } from './send-files.ts'

export interface CopyOptions {
  readonly recursive?: boolean
  readonly level?: string
  readonly json?: boolean
}

type Deps = ConnectDeps & { readonly signal: AbortSignal }

/**
 * `sallyport cp`: what cannot be copied is said, and the rest is copied.
 * @returns 0: all was copied; 1: not all; 4: the grant has ended meanwhile
 * @throws BrokerError when the broker refused it, or was lost; Error of a file here
 */
export async function copy(deps: Deps, from: string, to: string, options: CopyOptions): Promise<number> {
  const [source, destination] = [readPlace(from), readPlace(to)]
  if ('local' in source === 'local' in destination)
    throw new BrokerError('INVALID_INPUT', 'one of the two is at an instance, as RESOURCE:PATH, and the other one here')
  const recursive = options.recursive ?? false
  const report = newReport(new Progress(process.stderr))
  if ('local' in source) {
    const files = await findSource(source.local, recursive)
    await run(deps, destination, 'up', options, report, { recursive, name: files.name }, (socket) =>
      sendFiles(socket, files, report),
    )
  } else {
    const root = await findDestination('local' in destination ? destination.local : '', source.path)
    await run(deps, source, 'down', options, report, { recursive, name: '' }, (socket) =>
      receiveFiles(socket, root, report),
    )
  }
  return finish(report, options)
}

async function run(
  deps: Deps,
  place: Place,
  direction: 'up' | 'down',
  { level }: CopyOptions,
  report: CopyReport,
  asked: { readonly recursive: boolean; readonly name: string },
  use: (socket: CopySocket) => Promise<void>,
): Promise<void> {
  if ('local' in place) return
  const target = chooseTarget(await listResources(await deps.openApi()), place.resource, level, ['shell'])
  report.resource = target.id
  report.direction = direction
  const ask = {
    server: deps.server,
    bearer: await readBearer(deps),
    resourceId: target.id,
    level: target.level,
    tool: 'sallyport cp',
    direction,
    copy: { path: place.path, ...asked },
  }
  const socket = await CopySocket.open(ask, deps.signal, warn)
  const leave = () => socket.leave()
  deps.signal.addEventListener('abort', leave)
  if (deps.signal.aborted) leave()
  try {
    await use(socket)
  } catch (error) {
    if (deps.signal.aborted) report.interrupted = true
    else if (error instanceof CopyCut) report.cut = error.reason
    else throw error
  } finally {
    report.progress.clear()
    deps.signal.removeEventListener('abort', leave)
    socket.leave()
  }
}

function finish(report: CopyReport, { json }: CopyOptions): number {
  const { resource, direction, files, failed, skipped, cut, interrupted } = report
  if (json) printJson({ resource, direction, files, failed, skipped, ...(cut === undefined ? {} : { cut }) })
  else {
    for (const { path, why } of skipped) warn(`skipped ${path}: ${why}`)
    for (const { path, why } of failed) warn(`${path}: ${why}`)
  }
  if (cut !== undefined) {
    warn(`the session was cut: ${describeEnd(cut)}`)
    return endsGrant(cut) ? exitCodes.denied : exitCodes.failed
  }
  if (!json) {
    const bytes = files.reduce((sum, { size }) => sum + size, 0)
    printLine(`copied ${files.length} ${files.length === 1 ? 'file' : 'files'}, ${spokenBytes(bytes)}`)
  }
  return failed.length > 0 || interrupted ? exitCodes.failed : exitCodes.done
}
