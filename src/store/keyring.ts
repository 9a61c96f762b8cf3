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
} from 'node:crypto'
import { chmodSync, existsSync, linkSync, mkdirSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isSameBytes } from '../../proxy/constant-time.ts'
import { BrokerError } from '../../proxy/session.ts'

/** The files of the folder of keys. */
export const keyFiles = ['signing.pem', 'sealing.key', 'mac.key'] as const

export type KeyFile = (typeof keyFiles)[number]

/**
 * Keys kept outside the store, so that reading the database reveals no credential and writing to it creates none. What they make
 * begins with the id of its key; what was made before ids were written is still accepted.
 */
export interface Keyring {
  /** Id of the signing key: first 16 hex digits of the SHA-256 of its public part (PEM). */
  readonly signingKeyId: string
  /** Id of each key: 16 hex digits that tell nothing of a secret one. */
  readonly ids: Readonly<Record<KeyFile, string>>
  /** PEM; may be published: `audit verify` needs nothing else. */
  readonly publicKeyPem: string
  /** Ed25519, as `KEY.HEX`. */
  sign(bytes: Uint8Array): string
  /** AES-256-GCM; `purpose` is bound to the result, so that one sealed value can't replace another. */
  seal(purpose: string, plain: Uint8Array): Buffer
  /** @throws BrokerError INTERNAL when the bytes were not sealed for this purpose by this keyring */
  unseal(purpose: string, sealed: Uint8Array): Buffer
  /** HMAC-SHA-256, bound to `purpose`, as `KEY.BASE64URL`. */
  mac(purpose: string, text: string): string
  checkMac(purpose: string, text: string, mac: string): boolean
  /** 32 bytes that only this keyring can make, the same each time. */
  derive(purpose: string, text: string): Buffer
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
  makePrivate(dir)
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

function makePrivate(dir: string): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  if ((statSync(dir).mode & 0o077) === 0) return
  try {
    chmodSync(dir, 0o700)
  } catch (error) {
    // Nobody writes there either; its files must be private themselves.
    if ((error as NodeJS.ErrnoException).code !== 'EROFS') throw error
  }
}

function createKeyring(privateKey: KeyObject, sealingKey: Buffer, macKey: Buffer): Keyring {
  const publicKey = createPublicKey(privateKey)
  const publicKeyPem = publicKey.export({ type: 'spki', format: 'pem' }) as string
  const signingKeyId = createHash('sha256').update(publicKeyPem).digest('hex').slice(0, 16)
  const idOf = (key: Buffer) => createHmac('sha256', key).update('sallyport key id').digest('hex').slice(0, 16)
  const ids = { 'signing.pem': signingKeyId, 'sealing.key': idOf(sealingKey), 'mac.key': idOf(macKey) }
  const hmacKey = createSecretKey(macKey) // Node is slow to take bytes as the key of an HMAC
  const derive = (purpose: string, text: string) => createHmac('sha256', hmacKey).update(`${purpose}\0${text}`).digest()
  return {
    signingKeyId,
    ids,
    publicKeyPem,
    sign: (bytes) => `${signingKeyId}.${sign(null, bytes, privateKey).toString('hex')}`,
    ...createSealing(createSecretKey(sealingKey), ids['sealing.key']),
    mac: (purpose, text) => `${ids['mac.key']}.${derive(purpose, text).toString('base64url')}`,
    checkMac: (purpose, text, given) => {
      const { key = ids['mac.key'], value } = splitKeyId(given)
      const expected = derive(purpose, text).toString('base64url')
      return key === ids['mac.key'] && isSameBytes(Buffer.from(value), Buffer.from(expected))
    },
    derive,
  }
}

/** Takes a MAC or signature apart. @returns no key for one that was made before ids were written */
export function splitKeyId(text: string): { readonly key?: string; readonly value: string } {
  const dot = text.indexOf('.')
  return dot < 0 ? { value: text } : { key: text.slice(0, dot), value: text.slice(dot + 1) }
}

const idBytes = 8
/** Version 1: iv, tag, ciphertext. Version 2 has the id of the key before them. */
const versions = { withoutId: 1, withId: 2 } as const

function createSealing(key: KeyObject, id: string): Pick<Keyring, 'seal' | 'unseal'> {
  const ownId = Buffer.from(id, 'hex')
  /** What follows version and id. @throws Error when it was sealed with another key */
  const bodyOf = (sealed: Uint8Array): Uint8Array => {
    if (sealed[0] === versions.withoutId) return sealed.subarray(1)
    if (sealed[0] !== versions.withId) throw new Error('not a sealed value')
    const given = Buffer.from(sealed.subarray(1, 1 + idBytes))
    if (!given.equals(ownId)) throw new Error(`it was sealed with the key ${given.toString('hex')}`)
    return sealed.subarray(1 + idBytes)
  }
  return {
    seal: (purpose, plain) => {
      const iv = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(purpose))
      const body = Buffer.concat([cipher.update(plain), cipher.final()])
      return Buffer.concat([Buffer.of(versions.withId), ownId, iv, cipher.getAuthTag(), body])
    },
    unseal: (purpose, sealed) => {
      try {
        const body = bodyOf(sealed)
        if (body.length < 28) throw new Error('not a sealed value')
        const decipher = createDecipheriv('aes-256-gcm', key, body.subarray(0, 12), { authTagLength: 16 })
        decipher.setAAD(Buffer.from(purpose)).setAuthTag(body.subarray(12, 28))
        return Buffer.concat([decipher.update(body.subarray(28)), decipher.final()])
      } catch (cause) {
        throw new BrokerError('INTERNAL', 'a sealed value could not be opened', { cause })
      }
    },
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
  if (!existsSync(path)) putOnce(path, make())
  if ((statSync(path).mode & 0o077) !== 0) {
    throw new BrokerError('CONFIG_INVALID', `keys.dir: ${name} is readable by other users; run chmod 600 on it`)
  }
  return readFileSync(path, 'utf8')
}

/** Of several daemons that start at once on a shared folder the first one's stays, and none reads half a key. */
function putOnce(path: string, text: string): void {
  const part = `${path}.${randomBytes(8).toString('hex')}`
  writeFileSync(part, text, { mode: 0o600, flag: 'wx', flush: true })
  try {
    linkSync(part, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    unlinkSync(part)
  }
}
