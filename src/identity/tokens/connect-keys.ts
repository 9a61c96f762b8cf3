import { createHash } from 'node:crypto'
import type { TokenKeys } from '../../../proxy/doorman.ts'
import { deriveScramKeys, type ScramKeys } from '../../../proxy/wire/postgres/scram.ts'
import type { Keyring } from '../../store/keyring.ts'
import { hashSecret } from './token-format.ts'

type Keys = Pick<Keyring, 'derive' | 'seal' | 'unseal'>

/** What the protocols need to recognise one connect token. */
export interface ConnectKeys {
  /** Hex SHA-256 of the whole token. */
  readonly hash: string
  readonly scram: ScramKeys
}

/** What an engine needs of them: plain data, no Buffer. */
export function toTokenKeys({ hash, scram }: ConnectKeys): TokenKeys {
  const { salt, iterations, storedKey, serverKey } = scram
  return {
    scram: {
      salt: Uint8Array.from(salt),
      iterations,
      storedKey: Uint8Array.from(storedKey),
      serverKey: Uint8Array.from(serverKey),
    },
    doubleSha256: Uint8Array.from(createHash('sha256').update(hash, 'hex').digest()),
  }
}

export function deriveConnectKeys(keyring: Keys, id: string, token: string): ConnectKeys {
  return { hash: hashSecret(token), scram: deriveScramKeys(token, saltOf(keyring, id)) }
}

export function sealKeys(keyring: Keys, id: string, { hash, scram }: ConnectKeys): Buffer {
  const plain = {
    hash,
    salt: Buffer.from(scram.salt).toString('base64'),
    iterations: scram.iterations,
    storedKey: Buffer.from(scram.storedKey).toString('base64'),
    serverKey: Buffer.from(scram.serverKey).toString('base64'),
  }
  return keyring.seal(purpose(id), Buffer.from(JSON.stringify(plain)))
}

/** @throws BrokerError INTERNAL when they were sealed for another token */
export function unsealKeys(keyring: Keys, id: string, sealed: Uint8Array): ConnectKeys {
  const plain = JSON.parse(keyring.unseal(purpose(id), sealed).toString()) as Record<string, string> & {
    iterations: number
  }
  return {
    hash: plain.hash ?? '',
    scram: {
      salt: plain.salt === undefined ? saltOf(keyring, id) : Buffer.from(plain.salt, 'base64'),
      iterations: plain.iterations,
      storedKey: Buffer.from(plain.storedKey ?? '', 'base64'),
      serverKey: Buffer.from(plain.serverKey ?? '', 'base64'),
    },
  }
}

/** For unknown ids: always the same keys, which match no password. */
export function madeUpKeys(keyring: Keys, id: string): ConnectKeys {
  return {
    hash: derive(keyring, 'hash', id).toString('hex'),
    scram: {
      salt: saltOf(keyring, id),
      iterations: 4096,
      storedKey: derive(keyring, 'stored-key', id),
      serverKey: derive(keyring, 'server-key', id),
    },
  }
}

/** From the id alone, so that the salt is the same before a token is issued, while it lives, and after. */
function saltOf(keyring: Keys, id: string): Buffer {
  return derive(keyring, 'salt', id).subarray(0, 16)
}

function derive(keyring: Keys, what: string, id: string): Buffer {
  return keyring.derive(`connect-token-${what}`, id)
}

function purpose(id: string): string {
  return `connect-token:${id}`
}
