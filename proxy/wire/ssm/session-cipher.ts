/**
 * Encryption of payloads under a data key of KMS: AES-256-GCM without associated data; nonce, ciphertext, tag. The key's first
 * half is the agent's, its second half the client's.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { WireError } from '../wire-error.ts'

export const dataKeyBytes = 64
const keyBytes = 32
const nonceBytes = 12
const tagBytes = 16
const algorithm = 'aes-256-gcm'

export class SessionCipher {
  readonly #fromAgent: Uint8Array
  readonly #toAgent: Uint8Array

  /** @param dataKey 64 bytes @throws WireError */
  constructor(dataKey: Uint8Array) {
    if (dataKey.length !== dataKeyBytes) throw new WireError(`the data key is not ${dataKeyBytes} bytes`)
    this.#fromAgent = dataKey.subarray(0, keyBytes)
    this.#toAgent = dataKey.subarray(keyBytes)
  }

  /** @param nonce 12 bytes, never used before with this key */
  encrypt(plaintext: Uint8Array, nonce: Uint8Array = randomBytes(nonceBytes)): Buffer {
    const cipher = createCipheriv(algorithm, this.#toAgent, nonce, { authTagLength: tagBytes })
    return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
  }

  /** @throws WireError when it was not encrypted by the agent, with this key */
  decrypt(payload: Buffer): Buffer {
    const tagAt = payload.length - tagBytes
    if (tagAt < nonceBytes) throw new WireError('an encrypted payload is too short')
    const nonce = payload.subarray(0, nonceBytes)
    const decipher = createDecipheriv(algorithm, this.#fromAgent, nonce, { authTagLength: tagBytes })
    decipher.setAuthTag(payload.subarray(tagAt))
    try {
      return Buffer.concat([decipher.update(payload.subarray(nonceBytes, tagAt)), decipher.final()])
    } catch {
      throw new WireError('a payload cannot be decrypted')
    }
  }
}
