import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'
import { quietFor } from '../../wait-until.ts'
import { AwsFault } from '../aws/aws-fault.ts'
import type { Caller } from '../aws/callers.ts'
import type { RdsEndpoint, RdsTokenJudge } from '../aws/rds-token.ts'
import type { Leaf } from '../certificates.ts'
import type { SandboxClock } from '../clock.ts'
import { startRdsListener } from '../rds-listener.ts'
import { createReader, type Reader } from '../rds-startup.ts'
import { createRdsMySqlFaults, type RdsMySqlFaults, type Wrong } from './faults.ts'
import type { MariaDb } from './mariadb.ts'
import { askForFile, relay } from './relay.ts'
import {
  encodeError,
  encodeGreeting,
  encodePacket,
  encodeResponse,
  encodeSwitch,
  flags,
  type Greeting,
  type LoginResponse,
  nativeAnswer,
  readGreeting,
  readPacket,
  readResponse,
  scrambleBytes,
} from './startup.ts'

/**
 * One RDS for MySQL endpoint with IAM sign-in (`specs/mysql-proxy.md` 2, 6 and 16B): the greeting of the real MariaDB behind
 * it, TLS under the endpoint's name, an AuthSwitchRequest for mysql_clear_password whose answer must be a valid token, and
 * from then on the MariaDB itself. Left out: the sign-in of password users, which always fails, and COM_CHANGE_USER to a user
 * with a token, which MariaDB refuses.
 */
export interface RdsMySql {
  readonly endpoint: RdsEndpoint
  /** Where it listens: 127.0.0.1 and this port, whatever the endpoint's name and port are. */
  readonly listenPort: number
  readonly logins: readonly MySqlLogin[]
  /** TCP connections so far, whatever became of them. */
  readonly connections: number
  /** Signed-in connections open now. */
  readonly open: number
  readonly faults: RdsMySqlFaults
  close(): Promise<void>
}

export interface MySqlLogin {
  /** Epoch milliseconds by the sandbox's clock. */
  readonly at: number
  readonly user: string
  readonly database: string | null
  readonly attributes: ReadonlyMap<string, string>
  readonly capabilities: number
  readonly charset: number
  readonly isTls: boolean
  /** What the client sent in answer to the switch, whatever the plugin; empty where it wasn't asked. */
  readonly answer: Buffer
  readonly accepted: boolean
  /** Why it was refused; the client isn't told. */
  readonly reason: string
  /** Whose token it was, when it was believed. */
  readonly caller: Caller | null
}

export interface RdsMySqlOptions {
  readonly endpoint: RdsEndpoint
  readonly certificate: Leaf
  readonly tokens: RdsTokenJudge
  readonly mariadb: MariaDb
  readonly clock: SandboxClock
}

interface State {
  readonly options: RdsMySqlOptions
  readonly wrong: Wrong
  readonly sessions: Set<Socket>
  readonly logins: MySqlLogin[]
}

const clearPassword = 'mysql_clear_password'
/** What changes the layout of packets and MariaDB lacks: optional metadata, zstd, query attributes, several factors. */
const onlyMySql = 0x1e00_0000
/** For MariaDB it says that the client is not MariaDB's: left as the client has it. */
const longPassword = 0x1

export async function startRdsMySql(options: RdsMySqlOptions): Promise<RdsMySql> {
  const sessions = new Set<Socket>()
  const { wrong, createKnobs } = createRdsMySqlFaults(createSecureContext(options.certificate), sessions)
  const state: State = { options, wrong, sessions, logins: [] }
  const listener = await startRdsListener((socket) => serve(state, socket))
  return {
    endpoint: options.endpoint,
    listenPort: listener.port,
    logins: state.logins,
    get connections() {
      return listener.connections
    },
    get open() {
      return sessions.size
    },
    faults: createKnobs(listener, options.mariadb),
    close: listener.close,
  }
}

async function serve(state: State, socket: Socket): Promise<void> {
  const { wrong } = state
  if (wrong.slowMs > 0) await quietFor(wrong.slowMs, 'the fault is a slow server')
  if (wrong.hangs === 'greeting') return
  if (wrong.refusal) return refuse(socket, 0, wrong.refusal.code, wrong.refusal.sqlState, wrong.refusal.text)
  const backend = createConnection((wrong.behind ?? state.options.mariadb).socketPath)
  backend.on('error', () => socket.destroy())
  socket.once('close', () => backend.destroy())
  const fromBackend = createReader(backend)
  const theirs = readGreeting((await readPacket(fromBackend)).payload)
  const greeting = greetingOf(state, theirs)
  socket.write(encodePacket(0, encodeGreeting(greeting)))
  const client = await readLogin(state, socket, greeting)
  if (client === null) return
  const accepted = await signIn(state, client, greeting)
  const foreign = client.login.capabilities & greeting.capabilities & ~theirs.capabilities & onlyMySql
  if (foreign !== 0) throw new Error(`no MariaDB can serve a client with capabilities ${foreign.toString(16)}`)
  if (!accepted || wrong.hangs === 'login') return
  if (wrong.asksForFile !== null) return askForFile(client, wrong.asksForFile, wrong.filesGot)
  backend.write(encodePacket(1, encodeResponse(towardsBackend(state, client.login, theirs))))
  const answer = await readPacket(fromBackend)
  client.socket.write(encodePacket(client.sequence, answer.payload))
  if (answer.payload[0] !== 0) client.socket.end()
  for (const reader of [client.reader, fromBackend]) reader.release()
  if (answer.payload[0] === 0) relay(client.socket, backend, { sessions: state.sessions, wrong })
}

/** The real server's, so that its thread id is the one that KILL takes; the scramble is our own. */
function greetingOf({ wrong }: State, theirs: Greeting): Greeting {
  const { capabilities, ...shown } = { ...theirs, ...wrong.greeting }
  const scramble = Buffer.from(randomBytes(scrambleBytes).map((byte) => 1 + (byte % 35))) // neither NUL nor `$`
  const tls = wrong.plaintext ? capabilities & ~flags.ssl : capabilities | flags.ssl
  return { ...shown, scramble, capabilities: tls >>> 0 }
}

interface Client {
  readonly socket: Socket
  readonly reader: Reader
  readonly login: LoginResponse
  /** Of the next packet, ours. */
  sequence: number
}

/** @returns null when there is nobody left to serve */
async function readLogin(state: State, socket: Socket, greeting: Greeting): Promise<Client | null> {
  const reader = createReader(socket)
  const { sequence, response } = await nextResponse(reader, 1)
  if (response.type === 'login') {
    const client = { socket, reader, login: response, sequence: sequence + 1 }
    if (state.wrong.plaintext) return client
    note(state, client, { accepted: false, reason: 'no TLS', caller: null, answer: response.auth })
    denied(client)
    return null
  }
  if (!(greeting.capabilities & flags.ssl)) throw new Error('asks for TLS that was not offered')
  reader.release() // what came after the request is the ClientHello, and stays in the socket
  if (state.wrong.hangs === 'tls') return null
  const secure = new TLSSocket(socket, { isServer: true, secureContext: state.wrong.context })
  secure.on('error', () => socket.destroy())
  await once(secure, 'secure')
  const secureReader = createReader(secure)
  const next = await nextResponse(secureReader, 2)
  if (next.response.type !== 'login') throw new Error('a second request for TLS')
  return { socket: secure, reader: secureReader, login: next.response, sequence: next.sequence + 1 }
}

async function nextResponse(reader: Reader, expected: number) {
  const { sequence, payload } = await readPacket(reader)
  if (sequence !== expected) throw new Error(`packet ${sequence} where ${expected} was due`)
  return { sequence, response: readResponse(payload) }
}

async function signIn(state: State, client: Client, greeting: Greeting): Promise<boolean> {
  const { options, wrong } = state
  const { user, capabilities } = client.login
  const isIam = options.mariadb.isIamUser(user)
  const plugin = isIam ? (wrong.plugin ?? clearPassword) : 'mysql_native_password'
  if (!(capabilities & flags.pluginAuth)) {
    note(state, client, { accepted: false, reason: 'no PLUGIN_AUTH', caller: null, answer: Buffer.alloc(0) })
    refuse(
      client.socket,
      client.sequence,
      1251,
      '08004',
      'Client does not support authentication protocol requested by server; consider upgrading MySQL client',
    )
    return false
  }
  const answer = await readAnswer(client, plugin, isIam ? wrong.switchData : greeting.scramble)
  try {
    if (!isIam) throw new AwsFault('AccessDenied', 403, 'password', `${user} is no user of AWSAuthenticationPlugin`)
    if (plugin !== clearPassword)
      throw new AwsFault('AccessDenied', 403, 'password', `asked for ${plugin} by a fault knob`)
    const caller = options.tokens.check(tokenIn(answer), user, options.endpoint)
    if (wrong.refuse) throw new AwsFault('AccessDenied', 403, 'PAM', 'refused by a fault knob')
    note(state, client, { accepted: true, reason: '', caller, answer })
    return true
  } catch (error) {
    if (!(error instanceof AwsFault)) throw error
    note(state, client, { accepted: false, reason: error.reason, caller: null, answer })
    denied(client)
    return false
  }
}

/**
 * Like a server, it takes what came with the login if it is already of the plugin, be it empty, and else asks for it: MariaDB
 * answers a first response that names mysql_clear_password without a password with 1045, never with a switch.
 */
async function readAnswer(client: Client, plugin: string, data: Uint8Array): Promise<Buffer> {
  if (client.login.plugin === plugin) return client.login.auth
  client.socket.write(encodePacket(client.sequence, encodeSwitch(plugin, data)))
  const { sequence, payload } = await readPacket(client.reader)
  if (sequence !== client.sequence + 1) throw new Error(`packet ${sequence} where ${client.sequence + 1} was due`)
  client.sequence = sequence + 1
  return payload
}

/** The password ends at its NUL. */
function tokenIn(answer: Buffer): string {
  const end = answer.indexOf(0)
  return answer.toString('utf8', 0, end < 0 ? answer.length : end)
}

function towardsBackend({ options }: State, login: LoginResponse, theirs: Greeting): LoginResponse {
  const shared = login.capabilities & (theirs.capabilities | longPassword)
  const capabilities = shared & ~flags.ssl & ~flags.lengthEncodedAuth
  const auth = nativeAnswer(options.mariadb.password, theirs.scramble)
  return { ...login, auth, capabilities: capabilities >>> 0, plugin: 'mysql_native_password' }
}

function denied(client: Client): void {
  const text = `Access denied for user '${client.login.user}'@'127.0.0.1' (using password: YES)`
  refuse(client.socket, client.sequence, 1045, '28000', text)
}

function refuse(socket: Socket, sequence: number, code: number, sqlState: string | null, text: string): void {
  socket.end(encodePacket(sequence, encodeError(code, sqlState, text)))
}

function note(
  state: State,
  { login, socket }: Client,
  outcome: Pick<MySqlLogin, 'accepted' | 'reason' | 'caller' | 'answer'>,
): void {
  const { user, database, attributes, capabilities, charset } = login
  const isTls = socket instanceof TLSSocket
  state.logins.push({
    at: state.options.clock.now(),
    user,
    database,
    attributes,
    capabilities,
    charset,
    isTls,
    ...outcome,
  })
}
