import type { Socket } from 'node:net'

/** What a PostgreSQL client may say before it is signed in. All that a database endpoint needs of the protocol. */
export type First =
  | { readonly type: 'ssl' }
  | { readonly type: 'gssenc' }
  | { readonly type: 'cancel'; readonly bytes: Buffer }
  | { readonly type: 'startup'; readonly bytes: Buffer; readonly parameters: ReadonlyMap<string, string> }

const maxStartupBytes = 10_000
const maxPasswordBytes = 65_535
const codes = { ssl: 80877103, gssenc: 80877104, cancel: 80877102 } as const

/** Reads exact numbers of bytes from a socket, leaving the rest unread. */
export interface Reader {
  /** @throws Error when the client leaves first, or asks for more than it may */
  take(length: number): Promise<Buffer>
  /** Whether bytes came that nobody has taken. */
  hasMore(): boolean
  /** Leaves the socket to somebody else. */
  release(): void
}

const events = ['readable', 'end', 'close'] as const

export function createReader(socket: Socket): Reader {
  let wake = () => {}
  const changed = () => wake()
  // Listened to all the time: whoever begins to listen while bytes are waiting is told of them again and again.
  for (const event of events) socket.on(event, changed)
  return {
    take: async (length) => {
      for (;;) {
        const bytes = socket.read(length) as Buffer | null
        if (bytes?.length === length) return bytes
        if (bytes || socket.readableEnded || socket.destroyed) throw new Error('the client left')
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
    hasMore: () => socket.readableLength > 0,
    release: () => {
      for (const event of events) socket.off(event, changed)
    },
  }
}

/** @throws Error for anything that is not the start of a PostgreSQL conversation */
export async function readFirst(reader: Reader): Promise<First> {
  const length = (await reader.take(4)).readUInt32BE()
  if (length < 8 || length > maxStartupBytes) throw new Error(`invalid length of startup packet: ${length}`)
  const body = await reader.take(length - 4)
  const code = body.readUInt32BE()
  const bytes = Buffer.alloc(length)
  bytes.writeUInt32BE(length)
  body.copy(bytes, 4)
  if (code === codes.ssl && length === 8) return { type: 'ssl' }
  if (code === codes.gssenc && length === 8) return { type: 'gssenc' }
  if (code === codes.cancel && length >= 16) return { type: 'cancel', bytes }
  if (code >>> 16 !== 3) throw new Error(`unsupported frontend protocol ${code >>> 16}.${code & 0xffff}`)
  return { type: 'startup', bytes, parameters: readParameters(body.subarray(4)) }
}

function readParameters(body: Buffer): Map<string, string> {
  const parts = body.toString('utf8').split('\0')
  const parameters = new Map<string, string>()
  for (let at = 0; at + 1 < parts.length && parts[at]; at += 2) parameters.set(parts[at] ?? '', parts[at + 1] ?? '')
  return parameters
}

/** PasswordMessage, sent by the client: 'p', int32 length, cstring. */
export async function readPassword(reader: Reader): Promise<string> {
  const head = await reader.take(5)
  const length = head.readUInt32BE(1)
  if (head[0] !== 0x70) throw new Error('expected a password')
  if (length < 5 || length > maxPasswordBytes) throw new Error(`invalid length of password: ${length}`)
  const body = await reader.take(length - 4)
  if (body.at(-1) !== 0) throw new Error('the password has no end')
  return body.subarray(0, -1).toString('utf8')
}

/** AuthenticationCleartextPassword: 'R', int32 8, int32 3. */
export const askCleartext = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3])
/** AuthenticationMD5Password: 'R', int32 12, int32 5, four bytes of salt. */
export const askMd5 = Buffer.from([0x52, 0, 0, 0, 12, 0, 0, 0, 5, 1, 2, 3, 4])

/** ErrorResponse with severity FATAL: 'E', int32 length, (byte field, cstring)*, 0. */
export function fatal(sqlstate: string, message: string): Buffer {
  const body = Buffer.from(`SFATAL\0VFATAL\0C${sqlstate}\0M${message}\0\0`)
  const head = Buffer.alloc(5)
  head[0] = 0x45
  head.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}
