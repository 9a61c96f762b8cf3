/**
 * Real clients and a real MariaDB with a ledger between them: the sign-in passes untouched (native passwords, no TLS), except that
 * the greeting offers what a broker would. After it the relay takes over.
 */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Test } from 'tap'
import { wordsFor } from '../../../../proxy/mysql/errors.ts'
import { Ledger } from '../../../../proxy/mysql/ledger/ledger.ts'
import type { LedgerParts } from '../../../../proxy/mysql/ledger/ledger-parts.ts'
import { otherUser } from '../../../../proxy/mysql/ledger/refusals.ts'
import { SessionText } from '../../../../proxy/mysql/sql/session-text.ts'
import { Relay } from '../../../../proxy/relay/relay.ts'
import { encodeError } from '../../../../proxy/wire/mysql/encode.ts'
import { type MariaDb, startMariaDb } from '../../../sandbox/mysql/mariadb.ts'
import { waitUntil } from '../../../wait-until.ts'
import { digestKey, identity, origin, scriptedDoorman } from '../../relay/scripted-doorman.ts'

/** Not in `commonCapabilities`, apart from DEPRECATE_EOF. */
const neverOffered = 0x20 | 0x800 | 0x400_000 | 0x200_0000 | 0x400_0000 | 0x800_0000 | 0x1000_0000
const deprecateEof = 0x100_0000

export const user = 'plain'
export const password = 'a plain password'

export interface PipeOptions {
  /** Offered to clients. */
  deprecatesEof: boolean
  /** The client's bytes and the server's are passed on in pieces of this size; 0: as they come. */
  pieceBytes: number
  rules: Partial<Pick<LedgerParts, 'maxRows' | 'databases' | 'mayLoadLocal' | 'kill'>>
}

export async function startPiped(t: Pick<Test, 'teardown'>) {
  const server = await startMariaDb({ tcp: {}, settings: ['local-infile=ON'] })
  t.teardown(() => server.close())
  await server.query(`CREATE USER ${user}@'%' IDENTIFIED BY '${password}'`)
  await server.query(`GRANT ALL ON *.* TO ${user}@'%'`)
  const options: PipeOptions = { deprecatesEof: true, pieceBytes: 0, rules: {} }
  const kills: unknown[] = []
  const ends: { reason: string; error?: Error }[] = []
  const scripted = scriptedDoorman({
    kind: 'rds-mysql',
    engine: () => ({ address: { host: '127.0.0.1', port: 1 }, serverName: 'x', ca: null, rules: {} }),
    lease: () => Promise.reject(new Error('not asked here')),
  })
  const serve = async (client: Socket): Promise<void> => {
    const target = connect({ host: '127.0.0.1', port: server.tcpPort ?? 0 }).on('error', () => {})
    const pieces = options.pieceBytes
    const capabilities = await signIn(client, target, options.deprecatesEof)
    const permit = await scripted.host.open({
      identity,
      resourceId: 'x',
      client: origin,
      carrier: { protocol: 'mysql' },
    })
    const relay = new Relay({
      client,
      ahead: Buffer.alloc(0),
      target: {
        stream: target,
        ahead: Buffer.alloc(0),
        farewell: Buffer.from([1, 0, 0, 0, 1]),
        cancel: async () => {},
        reset: () => target.resetAndDestroy(),
      },
      permit,
      words: wordsFor(() => 0),
      counts: scripted.host.reports.of('rds-mysql'),
      now: () => Date.now(),
      converse: (parts) => {
        const ledger = new Ledger({
          ...parts,
          capabilities,
          maxRows: 0,
          capture: new SessionText(digestKey, server.version),
          databases: ['*'],
          mayLoadLocal: true,
          changeUser: async (_asked, sequence) => ({ payload: encodeError(otherUser), sequence }),
          kill: async (id, what) => {
            kills.push([id, what])
            return 'done'
          },
          ...options.rules,
        })
        return pieces === 0 ? ledger : inPieces(ledger, pieces)
      },
      leaseToEnd: () => Promise.reject(new Error('not asked here')),
      watchEnd: () => permit.endsAt,
    })
    const ended = relay.run()
    client.resume()
    target.resume()
    ends.push(await ended)
  }
  const sockets = new Set<Socket>()
  const pipe = createServer((client) => {
    sockets.add(client.on('error', () => {}))
    client.setNoDelay(true)
    serve(client).catch(() => client.destroy())
  })
  await new Promise<void>((resolve) => pipe.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    pipe.close()
    for (const socket of sockets) socket.destroy()
  })
  const { port } = pipe.address() as AddressInfo
  const { seen } = scripted
  return {
    ...scripted,
    server: server as MariaDb,
    options,
    kills,
    ends,
    port,
    entry: (sql: string | RegExp) => seen.entries.find((entry) => matches(entry.sql, sql) && !entry.begun),
    recorded: (count: number) =>
      waitUntil(
        () => seen.entries.length >= count,
        () => `${count} of ${JSON.stringify(seen.entries)}`,
      ),
  }
}

function matches(sql: unknown, pattern: string | RegExp): boolean {
  return typeof sql === 'string' && (typeof pattern === 'string' ? sql === pattern : pattern.test(sql))
}

/** Passes the sign-in on. @returns what both sides agreed on; from then on nothing is read */
async function signIn(client: Socket, target: Socket, deprecatesEof: boolean): Promise<number> {
  const agreed = Promise.withResolvers<number>()
  let offered = 0
  let asked = -1
  target.on('data', (chunk: Buffer) => {
    if (offered === 0) {
      offered = patchGreeting(chunk, deprecatesEof)
      client.write(chunk)
      return
    }
    client.write(chunk)
    if (chunk[4] === 0xff) agreed.reject(new Error('refused'))
    if (chunk[4] !== 0) return
    target.pause().removeAllListeners('data')
    client.pause().removeAllListeners('data')
    agreed.resolve(offered & asked)
  })
  client.on('data', (chunk: Buffer) => {
    if (asked < 0) asked = chunk.readUInt32LE(4)
    target.write(chunk)
  })
  return (await agreed.promise) >>> 0
}

/** @returns the capabilities that it offers now */
function patchGreeting(greeting: Buffer, deprecatesEof: boolean): number {
  const at = greeting.indexOf(0, 5) + 1 + 4 + 8 + 1
  const all = greeting.readUInt16LE(at) + greeting.readUInt16LE(at + 5) * 0x1_0000
  const offered = (all & ~neverOffered & ~(deprecatesEof ? 0 : deprecateEof) & ~1) >>> 0 // without MariaDB's own
  greeting.writeUInt16LE((offered & 0xffff) | 1, at)
  greeting.writeUInt16LE(offered >>> 16, at + 5)
  greeting.fill(0, at + 7 + 1, at + 7 + 1 + 10)
  return (offered | 1) >>> 0
}

/** The same ledger, whose chunks come in pieces. */
function inPieces(ledger: Ledger, size: number): Ledger {
  const up = Object.create(ledger.up, {
    scan: {
      value: (chunk: Buffer): number => {
        const passing: Buffer[] = []
        for (let at = 0; at < chunk.length; at += size) {
          const piece = chunk.subarray(at, at + size)
          const go = ledger.up.scan(piece)
          if (go === piece.length) {
            passing.push(piece)
            continue
          }
          const part = ledger.up.passing
          passing.push(part.passing)
          if (!part.rest) continue
          partial = {
            passing: Buffer.concat(passing),
            rest: Buffer.concat([part.rest, chunk.subarray(at + piece.length)]),
          }
          return 0
        }
        partial = { passing: Buffer.concat(passing) }
        return partial.passing.length === chunk.length && partial.passing.equals(chunk) ? chunk.length : 0
      },
    },
    atBoundary: { get: () => ledger.up.atBoundary },
  })
  let partial: ReturnType<Ledger['takePassing']> = { passing: Buffer.alloc(0) }
  const down = Object.create(ledger.down, {
    scan: {
      value: (chunk: Buffer): number => {
        for (let at = 0; at < chunk.length; at += size) {
          const piece = chunk.subarray(at, at + size)
          const go = ledger.down.scan(piece)
          if (go < piece.length) return at + go
        }
        return chunk.length
      },
    },
    atBoundary: { get: () => ledger.down.atBoundary },
  })
  return new Proxy(ledger, {
    get: (of, name) => {
      if (name === 'up') return up
      if (name === 'down') return down
      if (name === 'takePassing') return () => partial
      const value = Reflect.get(of, name, of)
      return typeof value === 'function' ? value.bind(of) : value
    },
  })
}
