import type { ClientSettings } from '../../../proxy/local/client-settings.ts'
import { makeLocalPassword } from '../../../proxy/local/local-password.ts'
import { type LocalPort, makeSocketDirectory, openLocalPort } from '../../../proxy/local/local-port.ts'
import { localProtocolNamed } from '../../../proxy/local/protocols.ts'
import type { BrokerEnd } from '../../../proxy/local/relay.ts'
import { printable } from '../../../proxy/printable.ts'
import { BrokerError, sessionCutCode } from '../../../proxy/session.ts'
import type { ApiClient } from '../api/api-client.ts'
import { describeEnd } from './session-end.ts'
import { watchSession } from './session-notices.ts'
import type { Target } from './target.ts'

/** What the connecting commands need of the world. */
export interface ConnectDeps {
  readonly server: string
  /** With the sign-in as it is now. @throws BrokerError LOGIN_REQUIRED */
  openApi(): Promise<ApiClient>
  readonly env: NodeJS.ProcessEnv
  now(): number
}

/** A local port for one target, and how clients reach it. */
export interface Connection {
  readonly target: Target
  readonly port: LocalPort
  readonly settings: ClientSettings
}

export interface OpenOptions {
  /** Of the first target, the next ones count up. 0: free ones. */
  readonly port: number
  readonly socket: boolean
  /** False: clients need none, which the broker audits. */
  readonly password: boolean
  readonly database?: string | undefined
  /** A session was cut. */
  onCut(target: Target, reason: string): void
  /** A client was refused; it was told the same. */
  onRefusal(target: Target, error: BrokerError): void
}

/** The broker chooses the database user; this name is only what clients must have. */
export const localUser = 'sallyport'

/** One local port per target, with one password for all. What was opened is closed when `cleanup` is disposed of. */
export async function openConnections(
  deps: ConnectDeps,
  targets: readonly Target[],
  options: OpenOptions,
  cleanup: AsyncDisposableStack,
): Promise<readonly Connection[]> {
  const password = options.password && !options.socket ? makeLocalPassword() : null
  const directory = options.socket ? await makeSocketDirectory(deps.env) : undefined
  if (directory) cleanup.defer(() => directory.remove())
  const connections: Connection[] = []
  for (const [i, target] of targets.entries()) {
    const protocol = localProtocolNamed(target.protocol)
    const firstPort = options.port || (directory ? protocol.usualPort : 0)
    const number = firstPort === 0 ? 0 : firstPort + i
    const at = directory ? { directory: directory.path, port: number } : { port: number }
    const port = await openLocalPort(at, protocol, {
      server: deps.server,
      bearer: () => readBearer(deps),
      resourceId: target.id,
      level: target.level,
      openPort: password === null && !directory,
      password,
      onBegin: (client) => watchSession({ now: deps.now, warn }, target, client),
      onEnd: (end) => tellEnd(target, end, options),
      onRefusal: (error) => options.onRefusal(target, error),
    }).catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'EADDRINUSE' ? portInUse(number, error) : error
    })
    cleanup.defer(() => port.close())
    const database = options.database ?? databaseOf(target)
    connections.push({ target, port, settings: toSettings(target, port, password, database) })
  }
  return connections
}

/** A local port for one program, which prints itself why it is refused. */
export async function openConnection(
  deps: ConnectDeps,
  target: Target,
  database: string | undefined,
  cleanup: AsyncDisposableStack,
): Promise<{ readonly connection: Connection; refusal(): BrokerError | undefined }> {
  let refusal: BrokerError | undefined
  const [connection] = await openConnections(
    deps,
    [target],
    {
      port: 0,
      socket: false,
      password: true,
      database,
      onCut: (_, reason) => warn(`the session on ${target.name} was cut: ${describeEnd(reason)}`),
      onRefusal: (_, error) => {
        refusal = error
      },
    },
    cleanup,
  )
  if (!connection) throw new BrokerError('INTERNAL', 'no local port')
  return { connection, refusal: () => refusal }
}

/** Read anew for each use, so that a new sign-in is picked up. @throws BrokerError LOGIN_REQUIRED */
export async function readBearer(deps: ConnectDeps): Promise<string> {
  const { token } = await deps.openApi()
  if (token === null) throw new BrokerError('LOGIN_REQUIRED', undefined, { hint: 'run: sallyport login' })
  return token
}

/** For clients that must name one. @throws BrokerError UNSUPPORTED */
export function databaseOf({ database, protocol }: Target): string {
  return database ?? localProtocolNamed(protocol).usualDatabase
}

export function portInUse(
  port: number,
  cause: Error,
  hint = 'choose another with --port, or omit --port to use a free one',
): Error {
  return Object.assign(new Error(`port ${port} on 127.0.0.1 is in use`, { cause }), { hint })
}

function tellEnd(target: Target, end: BrokerEnd, options: OpenOptions): void {
  if (end.code === sessionCutCode) options.onCut(target, end.reason)
  else if (end.code !== 1000) warn(`${target.name}: the connection to the broker was lost (websocket code ${end.code})`)
}

function toSettings(target: Target, port: LocalPort, password: string | null, database: string): ClientSettings {
  const { host, port: number } = port
  return {
    name: target.name,
    host,
    port: number,
    database,
    user: localUser,
    password,
    sslmode: 'disable', // loopback only; the way from here to the broker is the websocket's TLS
  }
}

/** For people, on stderr; texts that came over the network can't drive the terminal. */
export function warn(text: string): void {
  process.stderr.write(`sallyport: ${printable(text)}\n`)
}
