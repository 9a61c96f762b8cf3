/** Small payloads of the data channel, and the text frame that opens it. */
import { WireError } from '../wire-error.ts'
import { encodeJson, readObject } from './json.ts'

/** Payloads of type `flag`. */
export const flag = { disconnectToPort: 1, terminateSession: 2, connectToPortError: 3 } as const

export function encodeFlag(value: number): Buffer {
  const payload = Buffer.alloc(4)
  payload.writeUInt32BE(value)
  return payload
}

/** @throws WireError */
export function decodeFlag(payload: Buffer): number {
  if (payload.length !== 4) throw new WireError('a flag is not 4 bytes')
  return payload.readUInt32BE()
}

/** Size of the terminal; agents take each modulo 65,536. */
export function encodeSize(size: { readonly cols: number; readonly rows: number }): Buffer {
  return encodeJson({ cols: size.cols, rows: size.rows })
}

/** `EXIT_CODE: <n>`. @throws WireError */
export function decodeExitCode(payload: Buffer): number {
  const digits = /^EXIT_CODE: (-?\d{1,10})$/.exec(payload.toString('latin1', 0, 64))?.[1]
  if (digits === undefined) throw new WireError('invalid exit code')
  return Number(digits)
}

/** @returns the service's words for the person; empty: none @throws WireError */
export function decodeChannelClosed(payload: Buffer): string {
  const { Output: output = '' } = readObject(payload, 'channel_closed')
  if (typeof output !== 'string') throw new WireError('Output of channel_closed is not a string')
  return output
}

/** The first, a text frame: everything after it is binary. */
export function encodeOpenDataChannel(open: {
  readonly requestId: string
  readonly token: string
  /** The same for the life of the session. */
  readonly clientId: string
  readonly clientVersion: string
}): string {
  return JSON.stringify({
    MessageSchemaVersion: '1.0',
    RequestId: open.requestId,
    TokenValue: open.token,
    ClientId: open.clientId,
    ClientVersion: open.clientVersion,
  })
}
