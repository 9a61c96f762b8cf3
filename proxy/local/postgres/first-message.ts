/**
 * What a PostgreSQL client says first, on the local port (PostgreSQL documentation, "Message Flow", "Start-up").
 * There is no TLS here: the port is on loopback, and the way to the broker is the websocket's.
 */
import { readPacket } from '../../postgres/sign-in/read-message.ts'
import type { ClientLine } from '../../streams/client-line.ts'
import { decodeInitial } from '../../wire/postgres/decode.ts'
import { refuseEncryption } from '../../wire/postgres/encode.ts'
import { WireError } from '../../wire/wire-error.ts'

export interface FirstMessage {
  readonly kind: 'startup' | 'cancel'
  /** The message as it came, length included. */
  readonly bytes: Buffer
  /** What the client calls itself. */
  readonly tool: string
}

/**
 * Answers SSLRequest and GSSENCRequest (each at most once) with N, and returns the message that follows.
 * @throws BrokerError PROTOCOL_ERROR @throws WireError
 */
export async function readFirstMessage(line: ClientLine): Promise<FirstMessage> {
  const refused = new Set<string>()
  for (;;) {
    const bytes = await readPacket(line)
    const message = decodeInitial(bytes.subarray(4))
    if (message.kind === 'cancel') return { kind: 'cancel', bytes, tool: 'cancel' }
    if (message.kind === 'startup')
      return { kind: 'startup', bytes, tool: message.parameters.get('application_name') || 'unnamed' }
    if (refused.has(message.kind)) throw new WireError('encryption was requested twice')
    line.checkNothingFollows()
    refused.add(message.kind)
    line.write(refuseEncryption)
  }
}
