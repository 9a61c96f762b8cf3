import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isSameBytes } from '../../proxy/constant-time.ts'
import { BrokerError } from '../../proxy/session.ts'

/** The files of the folder of keys. */
export const keyFiles = ['signing.pem', 'sealing.key', 'mac.key'] as const

export type KeyFile = (typeof keyFiles)[number]

/** Keys kept outside the store, so that reading the database reveals no credential and writing to it creates none. */
export interface Keyring {
  /** Id of the signing key: first 16 hex digits of the SHA-256 of its public part (PEM). */
  readonly signingKeyId: string
  /** Id of each key: 16 hex digits that tell nothing of a secret one. */
  readonly ids: Readonly<Record<KeyFile, string>>
  /** PEM; may be published: `audit verify` needs nothing else. */
  readonly publicKeyPem: string
  sign(bytes: Uint8Array): Buffer
  verifySignature(bytes: Uint8Array, signature: Uint8Array): boolean
  /** AES-256-GCM; `purpose` is bound to the result, so that one sealed value can't replace another. */
  seal(purpose: string, plain: Uint8Array): Buffer
  /** @throws BrokerError INTERNAL when the bytes were not sealed for this purpose by this keyring */
  unseal(purpose: string, sealed: Uint8Array): Buffer
  /** HMAC-SHA-256 as base64url, bound to `purpose`. */
  mac(purpose: string, text: string): string
  checkMac(purpose: string, text: string, mac: string): boolean
}

/** The files that are missing in a folder of keys. */
export function missingKeys(dir: string): KeyFile[] {
  return keyFiles.filter((name) => !existsSync(join(dir, name)))
}

/**
 * Opens the folder of keys, and makes what is missing in it (mode 0700, files 0600). It may be read-only once it is complete.
 * @throws BrokerError CONFIG_INVALID for a key that is damaged, or that other users may read
 */
export function openKeyring(dir: string): Keyring {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  if ((statSync(dir).mode & 0o077) !== 0) chmodSync(dir, 0o700)
  const privateKey = createPrivateKey(
    loadOrMake(
      dir,
      'signing.pem',
      () => generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    ),
  )
  const sealingKey = readKey(dir, 'sealing.key')
  const macKey = readKey(dir, 'mac.key')
  return createKeyring(privateKey, sealingKey, macKey)
}

function createKeyring(privateKey: KeyObject, sealingKey: Buffer, macKey: Buffer): Keyring {
  const publicKey = createPublicKey(privateKey)
  const publicKeyPem = publicKey.export({ type: 'spki', format: 'pem' }) as string
  const signingKeyId = createHash('sha256').update(publicKeyPem).digest('hex').slice(0, 16)
  const idOf = (key: Buffer) => createHmac('sha256', key).update('sallyport key id').digest('hex').slice(0, 16)
  const hmacKey = createSecretKey(macKey) // Node is slow to take a Buffer as the key of each HMAC
  const mac = (purpose: string, text: string) => createHmac('sha256', hmacKey).update(`${purpose}\0${text}`).digest()
  return {
    signingKeyId,
    ids: { 'signing.pem': signingKeyId, 'sealing.key': idOf(sealingKey), 'mac.key': idOf(macKey) },
    publicKeyPem,
    sign: (bytes) => sign(null, bytes, privateKey),
    verifySignature: (bytes, signature) => verify(null, bytes, publicKey, signature),
    seal: (purpose, plain) => {
      const iv = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', sealingKey, iv).setAAD(Buffer.from(purpose))
      const body = Buffer.concat([cipher.update(plain), cipher.final()])
      return Buffer.concat([Buffer.of(1), iv, cipher.getAuthTag(), body]) // version, iv, tag, ciphertext
    },
    unseal: (purpose, sealed) => {
      try {
        if (sealed[0] !== 1 || sealed.length < 29) throw new Error('not a sealed value')
        const decipher = createDecipheriv('aes-256-gcm', sealingKey, sealed.subarray(1, 13), { authTagLength: 16 })
        decipher.setAAD(Buffer.from(purpose)).setAuthTag(sealed.subarray(13, 29))
        return Buffer.concat([decipher.update(sealed.subarray(29)), decipher.final()])
      } catch (cause) {
        throw new BrokerError('INTERNAL', 'a sealed value could not be opened', { cause })
      }
    },
    mac: (purpose, text) => mac(purpose, text).toString('base64url'),
    checkMac: (purpose, text, given) => isSameBytes(Buffer.from(given, 'base64url'), mac(purpose, text)),
  }
}

function readKey(dir: string, name: string): Buffer {
  const key = Buffer.from(
    loadOrMake(dir, name, () => randomBytes(32).toString('base64')),
    'base64',
  )
  if (key.length !== 32)
    throw new BrokerError('CONFIG_INVALID', `keys.dir: ${name} is damaged; restore it from a backup`)
  return key
}

function loadOrMake(dir: string, name: string, make: () => string): string {
  const path = join(dir, name)
  if (!existsSync(path)) writeFileSync(path, make(), { mode: 0o600, flag: 'wx' })
  if ((statSync(path).mode & 0o077) !== 0) {
    throw new BrokerError('CONFIG_INVALID', `keys.dir: ${name} is readable by other users; run chmod 600 on it`)
  }
  return readFileSync(path, 'utf8')
}
