/** Frames of both sides, made here from the documents alone. */
import { constants, deflateRawSync } from 'node:zlib'
import { headerDictionary } from '../../../../proxy/wire/spdy/dictionary.ts'

/** A message of a websocket's client, in one frame. */
export function masked(payload: Buffer, code = 2, isFinal = true): Buffer {
  const mask = [0x11, 0x22, 0x33, 0x44]
  const body = Buffer.from(payload.map((byte, i) => byte ^ (mask[i & 3] ?? 0)))
  return Buffer.concat([header(payload.length, code, isFinal, 0x80), Buffer.from(mask), body])
}

/** A message of its server. */
export function unmasked(payload: Buffer, code = 2, isFinal = true): Buffer {
  return Buffer.concat([header(payload.length, code, isFinal, 0), payload])
}

function header(length: number, code: number, isFinal: boolean, mask: number): Buffer {
  const first = (isFinal ? 0x80 : 0) | code
  if (length < 126) return Buffer.from([first, mask | length])
  if (length > 65_535) throw new Error('too long for tests')
  return Buffer.from([first, mask | 126, length >> 8, length & 0xff])
}

/** A message of a channel, as text in Latin-1. */
export function onChannel(channel: number, text: string): Buffer {
  return Buffer.concat([Buffer.from([channel]), Buffer.from(text, 'latin1')])
}

function number(value: number, bytes = 4): Buffer {
  const buffer = Buffer.alloc(bytes)
  buffer.writeUIntBE(value, 0, bytes)
  return buffer
}

/** Header blocks that stand by themselves: what comes first has the dictionary, the others refer to nothing. */
function block(headers: Readonly<Record<string, string>>, isFirst: boolean): Buffer {
  const texts = Object.entries(headers)
    .flat()
    .flatMap((text) => [number(text.length), Buffer.from(text)])
  const plain = Buffer.concat([number(Object.keys(headers).length), ...texts])
  const options = { finishFlush: constants.Z_SYNC_FLUSH }
  if (!isFirst) return deflateRawSync(plain, options)
  return Buffer.concat([
    Buffer.from('78f9e3c6a7c2', 'hex'),
    deflateRawSync(plain, { ...options, dictionary: headerDictionary }),
  ])
}

export function synStream(
  id: number,
  headers: Readonly<Record<string, string>>,
  isFirst: boolean,
  isFinal = false,
): Buffer {
  const payload = Buffer.concat([number(id), number(0), number(0, 2), block(headers, isFirst)])
  return Buffer.concat([number(0x8003_0001), number(isFinal ? 1 : 0, 1), number(payload.length, 3), payload])
}

export function synReply(id: number, isFirst: boolean): Buffer {
  const payload = Buffer.concat([number(id), block({}, isFirst)])
  return Buffer.concat([number(0x8003_0002), number(payload.length), payload])
}

export function spdyData(id: number, text: string, isFinal = false): Buffer {
  return Buffer.concat([number(id), number(isFinal ? 1 : 0, 1), number(text.length, 3), Buffer.from(text, 'latin1')])
}

export function rstStream(id: number): Buffer {
  return Buffer.concat([number(0x8003_0003), number(8), number(id), number(5)])
}

/** The two streams that kubectl opens for a connection; it ends its half of the one for errors at once. */
export function connection(id: number, port: number, requestId: number, isFirst = id === 1): Buffer {
  const common = { port: String(port), requestid: String(requestId) }
  return Buffer.concat([
    synStream(id, { streamtype: 'error', ...common }, isFirst),
    spdyData(id, '', true),
    synStream(id + 2, { streamtype: 'data', ...common }, false),
  ])
}
