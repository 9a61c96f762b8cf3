/** A MySQL port for the tests, with the real sign-in and a scripted ending. */
import { createHash } from 'node:crypto'
import type { Test } from 'tap'
import { Learnt } from '../../../proxy/mysql/learnt.ts'
import type { MysqlClient } from '../../../proxy/mysql/sign-in/client.ts'
import { receiveFromPort } from '../../../proxy/mysql/sign-in/downstream.ts'
import { BrokerError } from '../../../proxy/session.ts'
import { endWith } from '../../../proxy/streams/farewell.ts'
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

export const resourceId = 'rds-mysql/111122223333/eu-west-1/orders'
export const identity = identityFor(resourceId)
export const threadId = 0x0102_0304

const sha256 = (...parts: readonly (string | Buffer)[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()

/** As the store keeps it. */
export const doubleSha256 = (text: string) => sha256(sha256(text))

export type Port = SignInPort<MysqlClient>

export interface Script extends SignInScript {
  onClient?(client: MysqlClient): void
}

export function openPort(t: Test, script: Script = {}): Promise<Port> {
  const learnt = new Learnt()
  const greet = () => ({ threadId, told: learnt.toldOf(undefined) })
  const end = ({ stream, words }: MysqlClient) =>
    endWith(stream, words.error(new BrokerError('TOO_MANY_SESSIONS', scriptedEnd)))
  return openSignInPort<MysqlClient>(
    t,
    {
      kind: 'rds-mysql',
      identity,
      tokenKeys: async (id) => ({
        scram: { salt: Buffer.alloc(16), iterations: 4096, storedKey: Buffer.alloc(32), serverKey: Buffer.alloc(32) },
        doubleSha256: Uint8Array.from(doubleSha256(id === tokenId ? token : 'of nothing')),
      }),
      receive: (parts, socket, client, options) => receiveFromPort({ ...parts, greet }, socket, client, options),
      end: script.onClient ?? end,
    },
    script,
  )
}
