/** Payloads of replies and commands; {@link encodePacket} puts them into packets. */

export const firstByte = { ok: 0x00, authMore: 0x01, authNextFactor: 0x02, eof: 0xfe, error: 0xff } as const
export const command = { quit: 0x01, initDatabase: 0x02, query: 0x03, resetConnection: 0x1f } as const

/** What caching_sha2_password's server says in an AuthMoreData: the proof was right, or the password itself is asked for. */
export const fastPath = { done: 0x03, fullAuthentication: 0x04 } as const

export interface ErrorReply {
  /** Number of the error, e.g. 1045. */
  readonly number: number
  /** Five characters. */
  readonly state: string
  readonly message: string
}

/** Clients keep 512 bytes of a message. */
const longestMessage = 500

/** ERR_Packet: 0xFF, int<2> number, `#`, SQLSTATE, message to the end. */
export function encodeError({ number, state, message }: ErrorReply): Buffer {
  const head = Buffer.from([firstByte.error, number & 0xff, number >>> 8])
  return Buffer.concat([head, Buffer.from(`#${state}`), truncated(message)])
}

/** Between characters, so that none is split. */
function truncated(message: string): Buffer {
  const bytes = Buffer.from(message)
  if (bytes.length <= longestMessage) return bytes
  let end = longestMessage
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return bytes.subarray(0, end)
}

/** AuthMoreData with one of {@link fastPath}. */
export function encodeFastPath(state: number): Buffer {
  return Buffer.from([firstByte.authMore, state])
}

/** AuthSwitchRequest: 0xFE, string<NUL> plugin, scramble and NUL. */
export function encodeAuthSwitch(plugin: string, scramble: Buffer): Buffer {
  return Buffer.concat([Buffer.from([firstByte.eof]), cstring(plugin), scramble, Buffer.from([0])])
}

export function encodeQuery(sql: string): Buffer {
  return Buffer.concat([Buffer.from([command.query]), Buffer.from(sql)])
}

export function initDatabase(name: string): Buffer {
  return Buffer.concat([Buffer.from([command.initDatabase]), Buffer.from(name)])
}

export const quit = Buffer.from([command.quit])
export const resetConnection = Buffer.from([command.resetConnection])

/** A length-encoded integer below 2³². */
export function encodeLength(value: number): Buffer {
  if (value < 0xfb) return Buffer.from([value])
  if (value <= 0xffff) return Buffer.from([0xfc, value & 0xff, value >>> 8])
  if (value <= 0xff_ffff) return Buffer.from([0xfd, value & 0xff, (value >>> 8) & 0xff, value >>> 16])
  const long = Buffer.alloc(9, 0)
  long[0] = 0xfe
  long.writeUInt32LE(value, 1)
  return long
}

export function lengthEncoded(bytes: Buffer): Buffer {
  return Buffer.concat([encodeLength(bytes.length), bytes])
}

/** @throws RangeError for a text with NUL, which would end it early */
export function cstring(text: string): Buffer {
  if (text.includes('\0')) throw new RangeError('a string with NUL')
  return Buffer.from(`${text}\0`)
}
