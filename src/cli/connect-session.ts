import { formatSettings } from '../../proxy/local/client-settings.ts'
import { addToPgpass, pgpassPath } from '../../proxy/local/pgpass.ts'
import type { ConnectOptions } from './connect.ts'
import { GrantWatch } from './grant-watch.ts'
import {
  type ConnectDeps,
  type Connection,
  connectKinds,
  type OpenOptions,
  openConnections,
  warn,
} from './open-connections.ts'
import { exitCodes, printJson, when } from './output.ts'
import { describeEnd, endsGrant } from './session-end.ts'
import { chooseTarget, listResources, type Target } from './target.ts'

/** What a client that is being told that it was cut may still take to read it. */
const farewellMs = 2000

/** `sallyport connect`: opens the ports, says how to use them, stays until Ctrl-C (0) or until every grant has ended (4). */
export async function connect(
  deps: ConnectDeps & { readonly signal: AbortSignal },
  references: readonly string[],
  options: ConnectOptions,
): Promise<number> {
  const resources = await listResources(deps.api)
  const targets = references.map((reference) => chooseTarget(resources, reference, options.level, connectKinds))
  await using cleanup = new AsyncDisposableStack()
  const watch = new GrantWatch({ load: () => listResources(deps.api), now: deps.now, warn })
  /** Why the last session of a resource was cut, by resource id. */
  const cuts = new Map<string, string>()
  const onCut = (target: Target, reason: string) => {
    cuts.set(target.id, reason)
    warn(`a session on ${target.name} was cut: ${describeEnd(reason)}`)
    watch.poke()
  }
  const connections = await openConnections(deps, targets, { ...toOpen(options), onCut }, cleanup)
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

function toOpen(options: ConnectOptions): Omit<OpenOptions, 'onCut'> {
  const { port = 0, socket = false, password, database } = options
  return { port, socket, password, database }
}

async function writePgpass(
  deps: ConnectDeps,
  connections: readonly Connection[],
  cleanup: AsyncDisposableStack,
): Promise<void> {
  const path = pgpassPath(deps.env)
  const entries = connections.map(({ settings }) => ({ ...settings, password: settings.password ?? '' }))
  const remove = await addToPgpass(path, entries)
  cleanup.defer(remove)
  warn(`the password is in ${path} until this command ends`)
}

function show(connections: readonly Connection[], options: ConnectOptions): void {
  if (options.json) {
    printJson({ connections: connections.map(toJson) })
    return
  }
  for (const { target, settings } of connections) {
    if (!options.print)
      process.stdout.write(`# ${target.id} at level ${target.level}, until ${when(target.endsAt)} UTC\n`)
    process.stdout.write(`${formatSettings(settings, options.print ?? 'psql')}\n`)
  }
  process.stderr.write('Ctrl-C ends it.\n')
}

function toJson({ target, settings }: Connection): Record<string, unknown> {
  const { name: _, ...rest } = settings
  return { resource: target.id, level: target.level, endsAt: target.endsAt, ...rest }
}

function describeGrantEnd(target: Target, cut: string | undefined, now: number): string {
  if (cut !== undefined && endsGrant(cut)) return describeEnd(cut)
  return target.endsAt <= now ? describeEnd('grant-expired') : 'it was revoked, given back, or is no longer allowed'
}
