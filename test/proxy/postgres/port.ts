/** A PostgreSQL port for the tests, with the real sign-in and a scripted ending. */
import { once } from 'node:events'
import type { Test } from 'tap'
import { errorResponse } from '../../../proxy/postgres/errors.ts'
import type { PostgresClient } from '../../../proxy/postgres/sign-in/client.ts'
import { type Received, receiveFromPort } from '../../../proxy/postgres/sign-in/downstream.ts'
import { BrokerError } from '../../../proxy/session.ts'
import { endWith } from '../../../proxy/streams/farewell.ts'
import { decodeErrorFields } from '../../../proxy/wire/postgres/decode.ts'
import type { ErrorFields } from '../../../proxy/wire/postgres/messages.ts'
import { deriveScramKeys } from '../../../proxy/wire/postgres/scram.ts'
import {
  identityFor,
  openSignInPort,
  type SignInPort,
  type SignInScript,
  scriptedEnd,
  token,
  tokenId,
} from '../relay/sign-in-port.ts'

export { connect, scriptedEnd, token, tokenId } from '../relay/sign-in-port.ts'

export const resourceId = 'rds-postgres/111122223333/eu-west-1/orders'
export const identity = identityFor(resourceId)

export type Port = SignInPort<Received>

export interface Script extends SignInScript {
  onClient?(client: PostgresClient): void
}

export function openPort(t: Test, script: Script = {}): Promise<Port> {
  const end =
    script.onClient ??
    (({ stream }: PostgresClient) => endWith(stream, errorResponse(new BrokerError('DRAINING', scriptedEnd))))
  return openSignInPort<Received>(
    t,
    {
      kind: 'rds-postgres',
      identity,
      tokenKeys: async (id) => ({
        scram: deriveScramKeys(id === tokenId ? token : 'nobody', Buffer.alloc(16, id)),
        doubleSha256: new Uint8Array(32),
      }),
      receive: receiveFromPort,
      end: (received) => (received.kind === 'client' ? end(received.client) : endWith(received.stream)),
    },
    script,
  )
}

/** Everything up to the end. */
export async function readAll(stream: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(stream, 'close')
  return Buffer.concat(chunks)
}

/** Fields of the one ErrorResponse that `bytes` are. */
export function readError(bytes: Buffer): ErrorFields {
  if (bytes.toString('latin1', 0, 1) !== 'E' || bytes.readUInt32BE(1) !== bytes.length - 1)
    throw new Error(`not one ErrorResponse: ${JSON.stringify(bytes.toString('latin1'))}`)
  return decodeErrorFields(bytes.subarray(5))
}
