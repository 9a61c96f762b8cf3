import { toTargetError } from '../../streams/dial-errors.ts'
import { overLine, type ServerLine } from '../../streams/server-line.ts'
import { decodeDataRow } from '../../wire/postgres/decode.ts'
import { encodeQuery } from '../../wire/postgres/encode.ts'
import { WireError } from '../../wire/wire-error.ts'
import { mostGreetingBytes, readMessage, type Upstream } from './upstream.ts'

export interface Answer {
  /** The last row, its values as text; undefined: the server refused, or there is none. */
  readonly row: readonly (string | null)[] | undefined
  /** ParameterStatus, NoticeResponse and NotificationResponse messages that came meanwhile. */
  readonly passing: Buffer
  /** Bytes that arrived after the answer. */
  readonly ahead: Buffer
}

/**
 * Asks the server something over an idle connection that is not relayed (yet). The connection is destroyed when it fails.
 * @throws BrokerError TARGET_LOST …
 */
export async function askRow({ stream, ahead }: Upstream, sql: string, signal: AbortSignal): Promise<Answer> {
  if (ahead.length > 0) stream.unshift(ahead)
  try {
    return await overLine(stream, signal, (line) => {
      stream.write(encodeQuery(sql))
      return readAnswer(line)
    })
  } catch (error) {
    stream.destroy()
    throw toTargetError(error)
  }
}

async function readAnswer(line: ServerLine): Promise<Answer> {
  const passing: Buffer[] = []
  let row: Answer['row']
  for (let read = 0; read < mostGreetingBytes; ) {
    const { type, head, body } = await readMessage(line)
    read += head.length + body.length
    if (type === 'Z') return { row, passing: Buffer.concat(passing), ahead: line.takeAhead() }
    if (type === 'D') row = decodeDataRow(body)
    else if (type === 'S' || type === 'N' || type === 'A') passing.push(head, body)
  }
  throw new WireError('the answer of the server has no end')
}
