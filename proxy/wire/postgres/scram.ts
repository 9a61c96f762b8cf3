/**
 * SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, the server's side (RFC 5802, RFC 7677; channel binding `tls-server-end-point` of
 * RFC 5929). Left out: SASLprep (passwords are printable ASCII here), authorization identities, mandatory extensions.
 */
import { createHash, createHmac, createSecretKey, pbkdf2Sync, timingSafeEqual } from 'node:crypto'
import { WireError } from '../wire-error.ts'

export const scramMechanism = { plain: 'SCRAM-SHA-256', plus: 'SCRAM-SHA-256-PLUS' } as const
const bindingType = 'p=tls-server-end-point'

/** RFC 5803 keys, with which a server verifies a password without storing it. */
export interface ScramKeys {
  readonly salt: Uint8Array
  readonly iterations: number
  readonly storedKey: Uint8Array
  readonly serverKey: Uint8Array
}

/** What PostgreSQL uses; RFC 7677 asks for at least as many. */
const defaultIterations = 4096

/**
 * Derives the keys with which a server verifies a password without storing it.
 * @param salt 16 random bytes
 * @throws RangeError for anything but printable ASCII, which SASLprep would change
 */
export function deriveScramKeys(password: string, salt: Buffer, iterations = defaultIterations): ScramKeys {
  if (!/^[\x20-\x7e]+$/.test(password)) throw new RangeError('a SCRAM password must be printable ASCII')
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256')
  const storedKey = createHash('sha256').update(hmac(salted, 'Client Key')).digest()
  return { salt, iterations, storedKey, serverKey: hmac(salted, 'Server Key') }
}

/** @param binding data of `tls-server-end-point`; undefined where there is no TLS: then PLUS is not offered */
export function offeredMechanisms(binding: Buffer | undefined): string[] {
  return binding ? [scramMechanism.plus, scramMechanism.plain] : [scramMechanism.plain]
}

/** An exchange between the server's first message and the client's last. */
export interface ScramExchange {
  /** To be sent as SASLContinue. */
  readonly serverFirst: Buffer
  readonly clientFirstBare: string
  readonly nonce: string
  /** What `c=` must say, in base64. */
  readonly expectedBinding: string
  readonly verifier: ScramKeys
}

/**
 * Takes client-first and makes server-first.
 * @param serverNonce at least 18 random bytes in base64, fresh
 * @throws WireError also when the client says that we don't offer channel binding although we do: it was removed on the way
 */
export function startScram(
  ask: { readonly mechanism: string; readonly data: Buffer },
  binding: Buffer | undefined,
  verifier: ScramKeys,
  serverNonce: string,
): ScramExchange {
  if (!offeredMechanisms(binding).includes(ask.mechanism)) throw new WireError('the SASL mechanism was not offered')
  const { header, bare, nonce } = parseClientFirst(ask.data)
  checkFlag(header, ask.mechanism, binding)
  const bound = ask.mechanism === scramMechanism.plus && binding ? binding : Buffer.alloc(0)
  const wholeNonce = nonce + serverNonce
  const serverFirst = `r=${wholeNonce},s=${Buffer.from(verifier.salt).toString('base64')},i=${verifier.iterations}`
  return {
    serverFirst: Buffer.from(serverFirst),
    clientFirstBare: bare,
    nonce: wholeNonce,
    expectedBinding: Buffer.concat([Buffer.from(header), bound]).toString('base64'),
    verifier,
  }
}

/** gs2-header = flag "," [authzid] ","; then "n=" user "," "r=" nonce. The user is the startup message's, so `n` is not read. */
function parseClientFirst(data: Buffer): { header: string; bare: string; nonce: string } {
  const text = data.toString('latin1')
  const parts = /^((?:n|y|p=[A-Za-z0-9.-]+),([^,]*),)(n=[^,]*,r=([\x21-\x2b\x2d-\x7e]+))$/.exec(text)
  const [, header = '', authzid = '', bare = '', nonce = ''] = parts ?? []
  if (!parts || nonce.length > 1024) throw new WireError('malformed SCRAM message')
  if (authzid !== '') throw new WireError('an authorization identity is not supported')
  return { header, bare, nonce }
}

function checkFlag(header: string, mechanism: string, binding: Buffer | undefined): void {
  const flag = header.slice(0, header.indexOf(','))
  if (mechanism === scramMechanism.plus) {
    if (flag !== bindingType) throw new WireError('SCRAM-SHA-256-PLUS needs channel binding tls-server-end-point')
  } else if (flag === 'y' && binding) throw new WireError('SCRAM channel binding negotiation error')
  else if (flag !== 'n' && flag !== 'y') throw new WireError('SCRAM-SHA-256 without PLUS takes no channel binding')
}

/**
 * Checks client-final: "c=" binding "," "r=" nonce "," "p=" proof.
 * @returns server-final, to be sent as SASLFinal; undefined when the password or the channel does not match
 * @throws WireError when it is malformed
 */
export function finishScram(exchange: ScramExchange, data: Buffer): Buffer | undefined {
  const text = data.toString('latin1')
  const parts = /^(c=([A-Za-z0-9+/=]+),r=([\x21-\x2b\x2d-\x7e]+)),p=([A-Za-z0-9+/]{43}=)$/.exec(text)
  if (!parts) throw new WireError('malformed SCRAM message')
  const [, withoutProof = '', binding = '', nonce = '', proof = ''] = parts
  if (nonce !== exchange.nonce) throw new WireError('SCRAM nonce does not match')
  const { storedKey, serverKey } = exchange.verifier
  const message = `${exchange.clientFirstBare},${exchange.serverFirst.toString('latin1')},${withoutProof}`
  const clientKey = xor(Buffer.from(proof, 'base64'), hmac(storedKey, message))
  const shown = createHash('sha256').update(clientKey).digest()
  if (!timingSafeEqual(shown, storedKey) || binding !== exchange.expectedBinding) return undefined
  return Buffer.from(`v=${hmac(serverKey, message).toString('base64')}`)
}

/** Node is slow to take bytes as the key of an HMAC. */
function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', createSecretKey(key)).update(text, 'latin1').digest()
}

function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, at) => byte ^ (b[at] ?? 0)))
}
