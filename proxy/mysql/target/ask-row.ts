import type { Duplex } from 'node:stream'
import { toTargetError } from '../../streams/dial-errors.ts'
import { overLine } from '../../streams/server-line.ts'
import { capability, has } from '../../wire/mysql/capabilities.ts'
import { decodeEof, decodeOk } from '../../wire/mysql/decode.ts'
import { type ErrorReply, encodeQuery, firstByte } from '../../wire/mysql/encode.ts'
import { PayloadReader } from '../../wire/mysql/payload-reader.ts'
import { decodeError, decodeTextRow } from '../../wire/mysql/replies.ts'
import { WireError } from '../../wire/wire-error.ts'
import { ServerPackets } from './server-packets.ts'
import type { Upstream } from './upstream.ts'

export interface Answer {
  /** The last row, its values as text; undefined: there is none. */
  readonly row?: readonly (string | null)[]
  /** The server refused. */
  readonly error?: ErrorReply
  /** Status flags at its end. */
  readonly status?: number
}

/** Rows and columns that a statement of ours may return. */
const most = 64
/** An EOF packet has 5 bytes; with DEPRECATE_EOF an OK stands in its place, and no row of ours is that long. */
const longestEnd = 0xff_ffff

/**
 * Asks the server something over an idle connection that is not relayed (yet): one statement with at most one result. The
 * connection is destroyed when it fails.
 * @throws BrokerError TARGET_LOST …
 */
export async function askRow(
  { stream, capabilities }: Pick<Upstream, 'capabilities'> & { readonly stream: Duplex },
  sql: string,
  signal: AbortSignal,
): Promise<Answer> {
  return await ask(stream, encodeQuery(sql), signal, (packets) => readAnswer(packets, capabilities))
}

/**
 * The same for a command that has no result.
 * @returns the payload with which the server answers, of an OK or an error
 */
export async function askPlain(stream: Duplex, command: Buffer, signal: AbortSignal): Promise<Buffer> {
  return await ask(stream, command, signal, async (packets) => {
    const payload = await packets.read()
    if (payload[0] === firstByte.ok || payload[0] === firstByte.error) return payload
    throw new WireError('an unexpected answer')
  })
}

async function ask<T>(
  stream: Duplex,
  command: Buffer,
  signal: AbortSignal,
  read: (packets: ServerPackets) => Promise<T>,
): Promise<T> {
  try {
    return await overLine(stream, signal, async (line) => {
      const packets = new ServerPackets(line, stream)
      packets.write(command)
      const answer = await read(packets)
      if (line.hasMore) throw new WireError('the server said more than was asked')
      return answer
    })
  } catch (error) {
    stream.destroy()
    throw toTargetError(error)
  }
}

async function readAnswer(packets: ServerPackets, capabilities: number): Promise<Answer> {
  const first = await packets.read()
  if (first[0] === firstByte.error) return { error: decodeError(first) }
  if (first[0] === firstByte.ok) return {}
  const columns = new PayloadReader(first).length()
  if (columns === 0 || columns > most) throw new WireError('a result of another width than was asked for')
  for (let at = 0; at < columns; at += 1) await packets.read()
  if (!has(capabilities, capability.deprecateEof)) await packets.read()
  let row: Answer['row']
  for (let rows = 0; rows <= most; rows += 1) {
    const payload = await packets.read()
    if (payload[0] === firstByte.error) return { error: decodeError(payload) }
    if (payload[0] === firstByte.eof && payload.length < longestEnd) {
      const { status } = has(capabilities, capability.deprecateEof) ? decodeOk(payload, false) : decodeEof(payload)
      return { status, ...(row ? { row } : {}) }
    }
    row = decodeTextRow(payload, columns)
  }
  throw new WireError('the answer of the server has no end')
}
