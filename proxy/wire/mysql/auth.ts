/**
 * How passwords are proved (MySQL documentation, "Caching_sha2_authentication" and "Clear text client plugin"). Left out:
 * mysql_native_password, whose verifier would have to be kept beside the other, and RSA, which TLS makes needless.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { WireError } from '../wire-error.ts'

export const plugin = {
  cachingSha2: 'caching_sha2_password',
  native: 'mysql_native_password',
  clear: 'mysql_clear_password',
} as const

export const scrambleBytes = 20
const proofBytes = 32

/** Fresh for each exchange. As servers do it, without NUL and without `$`. */
export function makeScramble(): Buffer {
  return Buffer.from(randomBytes(scrambleBytes).map((byte) => replaced(byte & 0x7f)))
}

function replaced(byte: number): number {
  return byte === 0 || byte === 0x24 ? byte + 1 : byte
}

/**
 * Checks the answer of caching_sha2_password's fast path: SHA256(password) XOR SHA256(SHA256(SHA256(password)) ‖ scramble).
 * @param doubleSha256 SHA256(SHA256(password))
 */
export function provesPassword(answer: Buffer, scramble: Buffer, doubleSha256: Uint8Array): boolean {
  if (answer.length !== proofBytes || doubleSha256.length !== proofBytes) return false
  const mask = createHash('sha256').update(doubleSha256).update(scramble).digest()
  const single = Buffer.from(answer.map((byte, at) => byte ^ (mask[at] ?? 0)))
  return timingSafeEqual(createHash('sha256').update(single).digest(), doubleSha256)
}

/** Password and NUL, as mysql_clear_password and caching_sha2_password inside TLS send it. */
export function encodeClearPassword(password: string): Buffer {
  return Buffer.from(`${password}\0`)
}

/** @throws WireError unless it is one string that ends with the payload */
export function decodeClearPassword(payload: Buffer): string {
  if (payload.length === 0 || payload.indexOf(0) !== payload.length - 1)
    throw new WireError('expected a password that ends with NUL')
  return payload.toString('utf8', 0, payload.length - 1)
}
