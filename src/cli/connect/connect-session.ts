import { localProtocolNamed } from '../../../proxy/local/protocols.ts'
import type { BrokerError } from '../../../proxy/session.ts'
import { exitCodes, when } from '../output.ts'
import type { ConnectOptions } from './connect-options.ts'
import {
  type ConnectDeps,
  type Connection,
  databaseOf,
  localUser,
  type OpenOptions,
  openConnections,
  readBearer,
  warn,
} from './open-connections.ts'
import { checkOptions, connectable } from './protocol-options.ts'
import { describeEnd, endsGrant } from './session-end.ts'
import { chooseTarget, listResources, type Target } from './target.ts'
import { watchGrants } from './watch-grants.ts'

/** What a client that is being told that it was cut may still take to read it. */
const farewellMs = 2000

/** `sallyport connect`: opens the ports, says how to use them, stays until Ctrl-C (0) or until every grant has ended (4). */
export async function connect(
  deps: ConnectDeps & { readonly signal: AbortSignal },
  references: readonly string[],
  options: ConnectOptions,
): Promise<number> {
  const targets = await chooseTargets(deps, references, options)
  await using cleanup = new AsyncDisposableStack()
  const watch = watchGrants(deps)
  /** Why the last session of a resource was cut, by resource id. */
  const cuts = new Map<string, string>()
  const onCut = (target: Target, reason: string) => {
    cuts.set(target.id, reason)
    warn(`a session on ${target.name} was cut: ${describeEnd(reason)}`)
    watch.poke()
  }
  const connections = await openConnections(deps, targets, { ...toOpen(options), onCut, onRefusal }, cleanup)
  if (options.writePgpass) await writePgpass(deps, connections, cleanup)
  show(connections, options)
  const closing: Promise<void>[] = []
  const outcome = await watch.run(targets, deps.signal, (target) => {
    warn(`the grant on ${target.name} ended: ${describeGrantEnd(target, cuts.get(target.id), deps.now())}`)
    for (const { port } of connections.filter((c) => c.target.id === target.id)) closing.push(port.close(farewellMs))
  })
  await Promise.all(closing)
  return outcome === 'stopped' ? exitCodes.done : exitCodes.denied
}

/** Where no grant is known, the broker is asked for a session first: its denial, with the reason, ends the command. */
async function chooseTargets(
  deps: ConnectDeps,
  references: readonly string[],
  options: ConnectOptions,
): Promise<readonly Target[]> {
  const choose = async () => {
    const resources = await listResources(await deps.openApi())
    return references.map((reference) => chooseTarget(resources, reference, options.level, connectable))
  }
  const targets = await choose()
  for (const target of targets) checkOptions(target, options)
  const unsure = targets.filter((target) => target.endsAt === null)
  for (const target of unsure) await askBroker(deps, target, options.database ?? databaseOf(target))
  return unsure.length > 0 ? await choose() : targets
}

async function askBroker(deps: ConnectDeps, { id, level, protocol }: Target, database: string): Promise<void> {
  const bearer = await readBearer(deps)
  const tool = 'sallyport connect'
  const ask = { server: deps.server, bearer, resourceId: id, level, tool, openPort: false }
  await localProtocolNamed(protocol).trySession(ask, { user: localUser, database })
}

function onRefusal(target: Target, error: BrokerError): void {
  warn(`${target.name}: a client was refused: ${error.message}${error.hint ? ` (${error.hint})` : ''}`)
}

function toOpen(options: ConnectOptions): Omit<OpenOptions, 'onCut' | 'onRefusal'> {
  const { port = 0, socket = false, password, database } = options
  return { port, socket, password, database }
}

async function writePgpass(
  deps: ConnectDeps,
  connections: readonly Connection[],
  cleanup: AsyncDisposableStack,
): Promise<void> {
  const byProtocol = Map.groupBy(connections, ({ target }) => target.protocol)
  for (const [protocol, ofProtocol] of byProtocol) {
    const { passwordFile } = localProtocolNamed(protocol)
    if (!passwordFile) continue
    const path = passwordFile.path(deps.env)
    const remove = await passwordFile.add(
      path,
      ofProtocol.map(({ settings }) => settings),
    )
    cleanup.defer(remove)
    warn(`the password is kept in ${path} until this command ends`)
  }
}

function show(connections: readonly Connection[], options: ConnectOptions): void {
  if (options.json) printLine(connections.map(describeConnection))
  else for (const connection of connections) printConnection(connection, options.print)
  process.stderr.write('Press Ctrl-C to stop.\n')
}

/** One line, because it is read while this command runs on: the first resource as it is, and all of them as `connections`. */
function printLine(connections: readonly object[]): void {
  process.stdout.write(`${JSON.stringify({ ...connections[0], connections })}\n`)
}

function describeConnection({ target, settings }: Connection) {
  const { name: _, ...how } = settings
  const { id: resource, level, endsAt } = target
  return { resource, level, endsAt, ...how }
}

function printConnection({ target, settings }: Connection, form: string | undefined): void {
  if (form === undefined) process.stdout.write(`${headline(target)}\n`)
  const { settings: formats } = localProtocolNamed(target.protocol)
  process.stdout.write(`${formats.format(settings, form ?? formats.forms[0])}\n`)
}

function headline({ id, level, endsAt }: Target): string {
  return `# ${id}${level === undefined ? '' : ` at level ${level}`}${endsAt === null ? '' : `, until ${when(endsAt)}`}`
}

function describeGrantEnd(target: Target, cut: string | undefined, now: number): string {
  if (cut !== undefined && endsGrant(cut)) return describeEnd(cut)
  return target.endsAt !== null && target.endsAt <= now
    ? describeEnd('grant-expired')
    : 'it was revoked, returned, or is no longer allowed'
}
