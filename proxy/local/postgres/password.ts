import { randomBytes } from 'node:crypto'
import { readAnswer } from '../../postgres/sign-in/read-message.ts'
import { BrokerError } from '../../session.ts'
import type { ClientLine } from '../../streams/client-line.ts'
import { decodeSaslInitial } from '../../wire/postgres/decode.ts'
import { encodeAuthenticationSasl, encodeSaslContinue, encodeSaslFinal } from '../../wire/postgres/encode.ts'
import {
  deriveScramKeys,
  finishScram,
  offeredMechanisms,
  type ScramKeys,
  startScram,
} from '../../wire/postgres/scram.ts'

const saltBytes = 16
const nonceBytes = 18

/** Keys by which clients show that they know the password. @param password printable ASCII */
export function localKeys(password: string): ScramKeys {
  return deriveScramKeys(password, randomBytes(saltBytes))
}

/**
 * Checks the client's password by SCRAM-SHA-256. The broker sends AuthenticationOk later.
 * @throws BrokerError TOKEN_INVALID @throws WireError
 */
export async function askPassword(line: ClientLine, keys: ScramKeys): Promise<void> {
  line.write(encodeAuthenticationSasl(offeredMechanisms(undefined)))
  const ask = decodeSaslInitial(await readAnswer(line))
  const exchange = startScram(ask, undefined, keys, randomBytes(nonceBytes).toString('base64'))
  line.write(encodeSaslContinue(exchange.serverFirst))
  const final = finishScram(exchange, await readAnswer(line))
  if (!final) throw passwordInvalid()
  line.write(encodeSaslFinal(final))
}

function passwordInvalid(): BrokerError {
  const error = new BrokerError('TOKEN_INVALID', undefined, {
    hint: 'Use the password that sallyport printed when it opened this port; it changes with each run.',
  })
  error.message = 'password authentication failed for this local port'
  return error
}
