import { createHash, randomBytes } from 'node:crypto'
import { isSameBytes } from '../../../proxy/constant-time.ts'
import { newId, newTokenId } from '../../store/ids.ts'

/**
 * Formats of secrets. They are 256 random bits, so that one SHA-256 is enough to keep them.
 * - login: `SECRET`, 43 characters of base64url
 * - API token: `spa_ID_SECRET`, where `api_ID` is its id
 * - connect token: `spt_ID_SECRET`, 64 characters, so that any client and any .pgpass takes it unquoted
 */
export interface MintedToken {
  readonly id: string
  readonly token: string
}

export function newSecret(): string {
  return randomBytes(32).toString('base64url')
}

export function mintApiToken(): MintedToken {
  const id = newId('api')
  return { id, token: `spa_${id.slice('api_'.length)}_${newSecret()}` }
}

export function mintConnectToken(): MintedToken {
  const id = newTokenId()
  return { id, token: `spt_${id}_${newSecret()}` }
}

const apiToken = /^spa_([0-9a-z]{26})_[A-Za-z0-9_-]{43}$/
const connectToken = /^spt_([0-9a-z]{16})_[A-Za-z0-9_-]{43}$/
const secret = /^[A-Za-z0-9_-]{43}$/

/** The id inside; undefined for anything that isn't an API token. */
export function parseApiToken(text: string): string | undefined {
  const found = apiToken.exec(text)
  return found ? `api_${found[1]}` : undefined
}

export function parseConnectToken(text: string): string | undefined {
  return connectToken.exec(text)?.[1]
}

export function isTokenId(text: string): boolean {
  return /^[0-9a-z]{16}$/.test(text)
}

export function isLoginSecret(text: string): boolean {
  return secret.test(text)
}

/** Hex SHA-256. */
export function hashSecret(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** Constant-time. @param wanted hex SHA-256 */
export function isHashOf(wanted: string, text: string): boolean {
  const shown = createHash('sha256').update(text).digest()
  return isSameBytes(Buffer.from(wanted, 'hex'), shown)
}
