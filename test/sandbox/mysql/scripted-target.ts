/** A target that does as a test says, in TLS and by the byte: what no honest server does. Shares no code with the proxy. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'
import { createAuthority } from '../certificates.ts'
import { createReader, type Reader } from '../rds-startup.ts'
import { type RecordedGreeting, greetings as recorded } from './greetings.ts'
import { encodeError, encodeGreeting, encodePacket, encodeSwitch, ok, readPacket } from './startup.ts'

/** Each in place of what an honest server does at that point. */
export interface TargetScript {
  greeting?: RecordedGreeting
  onConnect?(socket: Socket): void
  /** @param sequence of the packet that is due */
  onLogin?(tls: TLSSocket, sequence: number): void
  onToken?(tls: TLSSocket, sequence: number): void
  /** Commands of the client; what the broker asks for itself is refused, as by a server without such tables. */
  onCommand?(tls: TLSSocket, payload: Buffer): void
}

export interface ScriptedTarget {
  readonly port: number
  readonly serverName: string
  /** PEM root of its certificate. */
  readonly ca: string
  script: TargetScript
  /** Open now. */
  readonly sockets: ReadonlySet<Socket>
  close(): void
}

const serverName = 'scripted.example.internal'
const scramble = Buffer.alloc(20, 0x41)
const mysql = 'mysql_clear_password'
const quit = 0x01
/** COM_STMT_SEND_LONG_DATA, COM_STMT_CLOSE */
const unanswered: ReadonlySet<number> = new Set([0x18, 0x19])
/** EOF: int<2> warnings, int<2> status. */
const eof = Buffer.from('fe00000200', 'hex')
/** Of COM_FIELD_LIST and COM_STMT_FETCH; COM_STMT_PREPARE: int<4> id, int<2> columns, int<2> parameters, 0, int<2> warnings. */
const endings: ReadonlyMap<number, Buffer> = new Map([
  [0x04, eof],
  [0x1c, eof],
  [0x16, Buffer.from('000100000000000000000000', 'hex')],
])
const ownQuestions = /server_id|CONNECTION_ID\(\)|^.SET SESSION/

export async function startScriptedTarget(script: TargetScript = {}): Promise<ScriptedTarget> {
  const authority = createAuthority()
  const own = createSecureContext(authority.issue([serverName]))
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}))
    socket.once('close', () => sockets.delete(socket))
    serve(target, socket, own).catch(() => socket.destroy()) // the broker has hung up
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const target: ScriptedTarget = {
    port,
    serverName,
    ca: authority.cert,
    script,
    sockets,
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
  return target
}

async function serve(
  { script }: ScriptedTarget,
  socket: Socket,
  secureContext: ReturnType<typeof createSecureContext>,
): Promise<void> {
  if (script.onConnect) {
    socket.resume() // else its end would not be seen
    return script.onConnect(socket)
  }
  const greeting = { ...(script.greeting ?? recorded.mysql80), threadId: 7, scramble, status: 2 }
  socket.write(encodePacket(0, encodeGreeting(greeting)))
  const reader = createReader(socket)
  await readPacket(reader)
  reader.release()
  const tls = new TLSSocket(socket, { isServer: true, secureContext })
  tls.on('error', () => socket.destroy())
  await once(tls, 'secure')
  const inside = createReader(tls)
  const login = await readPacket(inside)
  if (script.onLogin) return tell(inside, tls, () => script.onLogin?.(tls, login.sequence + 1))
  tls.write(encodePacket(login.sequence + 1, encodeSwitch(mysql, Buffer.alloc(0))))
  const token = await readPacket(inside)
  if (script.onToken) return tell(inside, tls, () => script.onToken?.(tls, token.sequence + 1))
  tls.write(encodePacket(token.sequence + 1, ok))
  for (;;) {
    const { payload } = await readPacket(inside)
    if (ownQuestions.test(payload.toString('latin1', 0, 200)))
      tls.write(encodePacket(1, encodeError(1142, '42000', 'SELECT command denied')))
    else if (script.onCommand) script.onCommand(tls, payload)
    else if (payload[0] === quit)
      return tell(inside, tls, () => tls.end()) // as a server: what is behind it is dropped
    else answer(tls, payload[0])
  }
}

/** As a server without tables: each command in a way that ends its answer. */
function answer(tls: TLSSocket, command: number | undefined): void {
  if (command === undefined || unanswered.has(command)) return
  tls.write(encodePacket(1, endings.get(command) ?? ok))
}

function tell(reader: Reader, tls: TLSSocket, say: () => void): void {
  reader.release()
  tls.resume()
  say()
}
