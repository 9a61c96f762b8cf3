import { createHash } from 'node:crypto'
import { isSameBytes } from '../../constant-time.ts'
import { BrokerError } from '../../session.ts'
import { decodeClearPassword, plugin, provesPassword } from '../../wire/mysql/auth.ts'

/** SHA256(SHA256(password)): by it a client is checked, and with it alone nobody can sign in. */
export type Verifier = Buffer

export function verifierOf(password: string): Verifier {
  return sha256(sha256(Buffer.from(password)))
}

/**
 * Checks what a client says to this scramble. mysql_clear_password is never asked for here, where there is no TLS; a client that
 * sends it unasked is only refused when it is wrong.
 * @throws BrokerError TOKEN_INVALID @throws WireError
 */
export function checkAnswer(answer: Buffer, scramble: Buffer, usedPlugin: string, verifier: Verifier | null): void {
  if (verifier === null) return
  const isRight =
    usedPlugin === plugin.clear
      ? isSameBytes(verifierOf(decodeClearPassword(answer)), verifier)
      : provesPassword(answer, scramble, verifier)
  if (!isRight) throw passwordInvalid()
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest()
}

function passwordInvalid(): BrokerError {
  const error = new BrokerError('TOKEN_INVALID', undefined, {
    hint: 'Use the password that sallyport printed when it opened this port; it changes with each run.',
  })
  error.message = 'password authentication failed for this local port'
  return error
}
