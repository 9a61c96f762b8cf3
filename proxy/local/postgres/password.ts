import { randomBytes } from 'node:crypto'
import { BrokerError, type ScramVerifier } from '../../session.ts'
import type { ClientLine } from '../../streams/client-line.ts'
import { decodeSaslInitial } from '../../wire/postgres/decode.ts'
import { encodeAuthenticationSasl, encodeSaslContinue, encodeSaslFinal } from '../../wire/postgres/encode.ts'
import { deriveScramVerifier, finishScram, offeredMechanisms, startScram } from '../../wire/postgres/scram.ts'

/** What the clients of a local port must know, so that other users of this machine can't connect as its owner. */
export interface LocalPassword {
  readonly text: string
  readonly verifier: ScramVerifier
}

const passwordBytes = 32
const saltBytes = 16
const nonceBytes = 18

/** A fresh one for each run: 43 characters that no shell, URL or file needs to quote. */
export function makeLocalPassword(): LocalPassword {
  return passwordOf(randomBytes(passwordBytes).toString('base64url'))
}

/** @param text printable ASCII */
export function passwordOf(text: string): LocalPassword {
  return { text, verifier: deriveScramVerifier(text, randomBytes(saltBytes)) }
}

/**
 * Asks the client for the password by SCRAM-SHA-256. AuthenticationOk is still to be sent, and comes from the broker.
 * @throws BrokerError TOKEN_INVALID @throws WireError
 */
export async function askPassword(line: ClientLine, password: LocalPassword): Promise<void> {
  line.write(encodeAuthenticationSasl(offeredMechanisms(undefined)))
  const ask = decodeSaslInitial(await line.readAnswer())
  const exchange = startScram(ask, undefined, password.verifier, randomBytes(nonceBytes).toString('base64'))
  line.write(encodeSaslContinue(exchange.serverFirst))
  const final = finishScram(exchange, await line.readAnswer())
  if (!final) throw passwordInvalid()
  line.write(encodeSaslFinal(final))
}

function passwordInvalid(): BrokerError {
  const error = new BrokerError('TOKEN_INVALID', undefined, {
    hint: 'Use the password that sallyport printed when it opened this port; each run has another.',
  })
  error.message = 'password authentication failed for this local port'
  return error
}
