/**
 * How a client of the protocol port presents a connect token (PostgreSQL documentation, "SASL Authentication"): by SCRAM when
 * its user name is `t_<token id>`, so that the token is not sent; in clear text inside TLS under any other name.
 */
import { randomBytes } from 'node:crypto'
import type { Doorman, Identity } from '../../doorman.ts'
import { BrokerError, type ClientOrigin } from '../../session.ts'
import type { ClientLine } from '../../streams/client-line.ts'
import { decodePassword, decodeSaslInitial } from '../../wire/postgres/decode.ts'
import {
  authenticationCleartext,
  encodeAuthenticationSasl,
  encodeSaslContinue,
  encodeSaslFinal,
} from '../../wire/postgres/encode.ts'
import { finishScram, offeredMechanisms, startScram } from '../../wire/postgres/scram.ts'
import { readAnswer } from './read-message.ts'

const tokenUser = /^t_([A-Za-z0-9_-]{1,62})$/
const nonceBytes = 18

export interface SignInDeps {
  readonly doorman: Pick<Doorman, 'tokenKeys' | 'identify'>
  /** Data of `tls-server-end-point`; undefined where the certificate has none. */
  readonly binding: Buffer | undefined
}

/**
 * Requests the token and checks it. Does not send AuthenticationOk.
 * @throws BrokerError TOKEN_INVALID, with the same text whatever was wrong, and what `identify` throws
 * @throws WireError
 */
export async function signIn(
  line: ClientLine,
  user: string,
  client: ClientOrigin,
  deps: SignInDeps,
): Promise<Identity> {
  const [, tokenId] = tokenUser.exec(user) ?? []
  try {
    return await (tokenId === undefined ? byPassword(line, client, deps) : byScram(line, tokenId, client, deps))
  } catch (error) {
    if (error instanceof BrokerError && error.code === 'TOKEN_INVALID') throw tokenInvalid(error)
    throw error
  }
}

async function byPassword(line: ClientLine, client: ClientOrigin, { doorman }: SignInDeps): Promise<Identity> {
  line.write(authenticationCleartext)
  const token = decodePassword(await readAnswer(line))
  return line.wait(doorman.identify({ by: 'token', token }, client))
}

async function byScram(
  line: ClientLine,
  tokenId: string,
  client: ClientOrigin,
  { doorman, binding }: SignInDeps,
): Promise<Identity> {
  line.write(encodeAuthenticationSasl(offeredMechanisms(binding)))
  const ask = decodeSaslInitial(await readAnswer(line))
  const { scram } = await line.wait(doorman.tokenKeys(tokenId))
  const exchange = startScram(ask, binding, scram, randomBytes(nonceBytes).toString('base64'))
  line.write(encodeSaslContinue(exchange.serverFirst))
  const final = finishScram(exchange, await readAnswer(line))
  if (!final) throw tokenInvalid()
  // before the client hears that its proof was good: a revoked token must look like a wrong one
  const identity = await line.wait(doorman.identify({ by: 'proof', tokenId }, client))
  line.write(encodeSaslFinal(final))
  return identity
}

function tokenInvalid(cause?: Error): BrokerError {
  const hint = 'Get a new token with: sallyport connect RESOURCE --token'
  return new BrokerError('TOKEN_INVALID', undefined, { hint, cause })
}
