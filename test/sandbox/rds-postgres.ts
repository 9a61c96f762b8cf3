import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import { quietFor } from '../wait-until.ts'
import { AwsFault } from './aws/aws-fault.ts'
import type { Caller } from './aws/callers.ts'
import type { RdsEndpoint, RdsTokenJudge } from './aws/rds-token.ts'
import type { Leaf } from './certificates.ts'
import type { SandboxClock } from './clock.ts'
import type { Postgres } from './postgres.ts'
import { type RdsListener, startRdsListener } from './rds-listener.ts'
import { askCleartext, askMd5, createReader, fatal, type Reader, readFirst, readPassword } from './rds-startup.ts'

/**
 * One RDS for PostgreSQL endpoint with IAM sign-in (`specs/postgres-proxy.md` 11 and 12C): TLS under the endpoint's name, a
 * cleartext password that must be a valid token, and a real PostgreSQL behind it. Left out: password users (their sign-in
 * always fails), direct TLS, and protocol negotiation before authentication.
 */
export interface RdsPostgres {
  readonly endpoint: RdsEndpoint
  /** Where it listens: 127.0.0.1 and this port, whatever the endpoint's name and port are. */
  readonly listenPort: number
  readonly logins: readonly RdsLogin[]
  /** TCP connections so far, whatever became of them. */
  readonly connections: number
  /** CancelRequests passed on to the server. */
  readonly cancels: number
  /** Signed-in connections open now. */
  readonly open: number
  readonly faults: RdsFaults
  close(): Promise<void>
}

export interface RdsLogin {
  /** Epoch milliseconds by the sandbox's clock. */
  readonly at: number
  readonly user: string
  readonly database: string
  readonly applicationName: string
  readonly accepted: boolean
  /** Why it was refused; the client isn't told. */
  readonly reason: string
  /** Whose token it was, when it was believed. */
  readonly caller: Caller | null
}

/** Every knob stays until it is turned back, or until `clear()`. */
export interface RdsFaults {
  /** Nobody listens, and open connections are lost. */
  down(on: boolean): Promise<void>
  /** Every token is refused, as with a missing `rds_iam` or permission. */
  refuse(on: boolean): void
  /** The endpoint takes this long to answer a connection. */
  slow(ms: number): void
  /** Cuts every signed-in connection in the middle of whatever it does; says how many. */
  dropSessions(): number
  /** Asks for an MD5 password, as a server without IAM sign-in does. */
  md5(on: boolean): void
  /** Answers `N` to SSLRequest. */
  plaintext(on: boolean): void
  /** Shows this certificate instead: another authority's, or another name's. Null: its own. */
  certificate(leaf: Leaf | null): void
  clear(): Promise<void>
}

export interface RdsPostgresOptions {
  readonly endpoint: RdsEndpoint
  readonly certificate: Leaf
  readonly tokens: RdsTokenJudge
  readonly postgres: Postgres
  readonly clock: SandboxClock
}

interface State {
  readonly options: RdsPostgresOptions
  readonly own: SecureContext
  readonly sessions: Set<Socket>
  readonly logins: RdsLogin[]
  cancels: number
  context: SecureContext
  refuse: boolean
  md5: boolean
  plaintext: boolean
  slowMs: number
}

export async function startRdsPostgres(options: RdsPostgresOptions): Promise<RdsPostgres> {
  const own = createSecureContext(options.certificate)
  const state: State = {
    options,
    own,
    context: own,
    sessions: new Set(),
    logins: [],
    cancels: 0,
    refuse: false,
    md5: false,
    plaintext: false,
    slowMs: 0,
  }
  const listener = await startRdsListener((socket) => serve(state, socket))
  return {
    endpoint: options.endpoint,
    listenPort: listener.port,
    logins: state.logins,
    get connections() {
      return listener.connections
    },
    get cancels() {
      return state.cancels
    },
    get open() {
      return state.sessions.size
    },
    faults: createKnobs(state, listener),
    close: listener.close,
  }
}

function createKnobs(state: State, { down }: RdsListener): RdsFaults {
  const knobs: RdsFaults = {
    down,
    refuse: (on) => {
      state.refuse = on
    },
    slow: (ms) => {
      state.slowMs = ms
    },
    dropSessions: () => {
      const { size } = state.sessions
      for (const socket of state.sessions) socket.destroy()
      return size
    },
    md5: (on) => {
      state.md5 = on
    },
    plaintext: (on) => {
      state.plaintext = on
    },
    certificate: (leaf) => {
      state.context = leaf ? createSecureContext(leaf) : state.own
    },
    clear: async () => {
      Object.assign(state, { refuse: false, md5: false, plaintext: false, slowMs: 0, context: state.own })
      await down(false)
    },
  }
  return knobs
}

async function serve(state: State, socket: Socket): Promise<void> {
  if (state.slowMs > 0) await quietFor(state.slowMs, 'the fault is a slow server')
  const reader = createReader(socket)
  let first = await readFirst(reader)
  if (first.type === 'gssenc') {
    socket.write('N')
    first = await readFirst(reader)
  }
  if (first.type === 'cancel') return cancel(state, socket, first.bytes)
  if (first.type === 'startup') return refuse(state, socket, first.parameters, 'no encryption')
  if (first.type !== 'ssl' || reader.hasMore()) throw new Error('bytes after SSLRequest')
  if (state.plaintext) {
    socket.write('N')
    const next = await readFirst(reader)
    if (next.type === 'startup') refuse(state, socket, next.parameters, 'no encryption')
    else socket.destroy()
    return
  }
  reader.release()
  socket.write('S')
  const secure = new TLSSocket(socket, { isServer: true, secureContext: state.context, ALPNProtocols: ['postgresql'] })
  secure.on('error', () => socket.destroy())
  await once(secure, 'secure')
  await serveSecure(state, secure)
}

async function serveSecure(state: State, socket: TLSSocket): Promise<void> {
  const reader = createReader(socket)
  const first = await readFirst(reader)
  if (first.type === 'cancel') return cancel(state, socket, first.bytes)
  if (first.type !== 'startup') throw new Error('a second SSLRequest')
  socket.write(state.md5 ? askMd5 : askCleartext)
  const accepted = await signIn(state, socket, reader, first.parameters)
  reader.release()
  if (accepted) relay(state, socket, first.bytes)
}

async function signIn(
  state: State,
  socket: Socket,
  reader: Reader,
  parameters: ReadonlyMap<string, string>,
): Promise<boolean> {
  const password = await readPassword(reader)
  const user = parameters.get('user') ?? ''
  const { options } = state
  try {
    if (state.md5) throw new AwsFault('AccessDenied', 403, 'password', 'asked for MD5 by a fault knob')
    if (!(await options.postgres.isIamUser(user)))
      throw new AwsFault('AccessDenied', 403, 'password', 'the user is not in rds_iam')
    const caller = options.tokens.check(password, user, options.endpoint)
    if (state.refuse) throw new AwsFault('AccessDenied', 403, 'PAM', 'refused by a fault knob')
    note(state, parameters, { accepted: true, reason: '', caller })
    return true
  } catch (error) {
    if (!(error instanceof AwsFault)) throw error
    note(state, parameters, { accepted: false, reason: error.reason, caller: null })
    const [method, sqlstate] = error.message === 'password' ? ['password', '28P01'] : ['PAM', '28000']
    socket.end(fatal(sqlstate, `${method} authentication failed for user "${user}"`))
    return false
  }
}

function refuse(state: State, socket: Socket, parameters: ReadonlyMap<string, string>, reason: string): void {
  note(state, parameters, { accepted: false, reason, caller: null })
  const [user, database] = [parameters.get('user') ?? '', parameters.get('database') ?? parameters.get('user') ?? '']
  const text = `no pg_hba.conf entry for host "${socket.remoteAddress}", user "${user}", database "${database}", ${reason}`
  socket.end(fatal('28000', text))
}

function note(
  state: State,
  parameters: ReadonlyMap<string, string>,
  outcome: Pick<RdsLogin, 'accepted' | 'reason' | 'caller'>,
): void {
  const user = parameters.get('user') ?? ''
  state.logins.push({
    at: state.options.clock.now(),
    user,
    database: parameters.get('database') ?? user,
    applicationName: parameters.get('application_name') ?? '',
    ...outcome,
  })
}

/** From here on it is the real server that talks; its AuthenticationOk follows our request for a password. */
function relay(state: State, socket: Socket, startup: Buffer): void {
  const upstream = createConnection(state.options.postgres.socketPath)
  state.sessions.add(socket)
  const end = () => {
    state.sessions.delete(socket)
    upstream.destroy()
    socket.destroy()
  }
  upstream.on('error', end)
  socket.on('error', end).on('close', end)
  upstream.write(startup)
  upstream.pipe(socket) // ends the client's side once the server has said all
  socket.pipe(upstream)
  // After the pipes, which pause the client when they let go: its end must still be seen.
  upstream.once('close', () => socket.resume())
}

/** The key is the real server's, relayed as it was; the client sees the connection close, as always. */
async function cancel(state: State, socket: Socket, bytes: Buffer): Promise<void> {
  state.cancels += 1
  const upstream = createConnection(state.options.postgres.socketPath)
  upstream.on('error', () => {}).end(bytes)
  await once(upstream.resume(), 'close')
  socket.destroy()
}
