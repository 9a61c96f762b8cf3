import { createPublicKey, hash, type KeyObject, verify } from 'node:crypto'
import { splitKeyId } from '../store/keyring.ts'
import { type CanonicalValue, canonicalJson } from './canonical.ts'

/** Running head of a recording that is still being written. */
export interface RecordingHead {
  readonly session: string
  readonly head: string
  readonly entries: number
}

/** What the daemon signs: how far the log and every open recording had come. */
export interface Checkpoint {
  readonly v: 1
  readonly installation: string
  /** 1, 2, 3 … without a gap. */
  readonly n: number
  /** Last event, and its hash; 0 and the genesis hash before the first one. */
  readonly seq: number
  readonly hash: string
  /** Epoch milliseconds. */
  readonly at: number
  /** Id of the signing key. */
  readonly key: string
  readonly recordings: readonly RecordingHead[]
  /** Id of the mark that goes with the log; missing in those of versions without marks. */
  readonly mark?: string
}

/** A checkpoint in the one form that is signed, stored and sent to anchors. */
export interface SignedCheckpoint {
  /** Canonical JSON of a {@link Checkpoint}. */
  readonly body: string
  /** Ed25519, as `KEY.HEX`; only the hex in those of earlier versions. */
  readonly signature: string
}

/** The bytes under the signature; the first line keeps them from ever being read as anything else. */
export function checkpointBytes(body: string): Buffer {
  return Buffer.from(`sallyport checkpoint 1\n${body}`)
}

export function encodeCheckpoint(checkpoint: Checkpoint): string {
  return canonicalJson(checkpoint as unknown as CanonicalValue)
}

/** One JSON line for anchors and exports. */
export function checkpointLine({ body, signature }: SignedCheckpoint): string {
  return `{"checkpoint":${body},"signature":"${signature}"}`
}

/** @returns undefined for a line that holds no checkpoint, such as another log line on the same stdout */
export function parseCheckpointLine(line: string): SignedCheckpoint | undefined {
  try {
    const { checkpoint, signature } = JSON.parse(line) as { checkpoint?: CanonicalValue; signature?: unknown }
    if (checkpoint === undefined || typeof signature !== 'string') return undefined
    return { body: canonicalJson(checkpoint), signature }
  } catch {
    return undefined
  }
}

/** Checks form and signature. @returns the checkpoint, or what is wrong with it */
export function openCheckpoint(
  signed: SignedCheckpoint,
  publicKey: KeyObject,
): { ok: true; checkpoint: Checkpoint } | { ok: false; what: string } {
  const checkpoint = openBody(signed.body)
  if (!checkpoint) return { ok: false, what: 'its body is not a checkpoint' }
  const keyId = keyIdOf(publicKey)
  if (checkpoint.key !== keyId) return { ok: false, what: `it names the key ${checkpoint.key}, not ${keyId}` }
  const { key = keyId, value } = splitKeyId(signed.signature)
  const signature = Buffer.from(value, 'hex')
  const isWritten = key === keyId && signature.toString('hex') === value
  const isValid = isWritten && verify(null, checkpointBytes(signed.body), publicKey, signature)
  return isValid ? { ok: true, checkpoint } : { ok: false, what: 'its signature does not match its body' }
}

/** @returns undefined for text that is no checkpoint in canonical form; says nothing about its signature */
export function openBody(body: string): Checkpoint | undefined {
  try {
    const value = JSON.parse(body) as Checkpoint
    const isWhole = [value.n, value.seq, value.at].every(Number.isSafeInteger) && Array.isArray(value.recordings)
    const isText = [value.installation, value.hash, value.key].every((text) => typeof text === 'string')
    return value.v === 1 && isWhole && isText && encodeCheckpoint(value) === body ? value : undefined
  } catch {
    return undefined
  }
}

/** First 16 hex digits of the SHA-256 of the public key in PEM, as in the keyring. */
function keyIdOf(publicKey: KeyObject): string {
  const id =
    keyIds.get(publicKey) ?? hash('sha256', publicKey.export({ type: 'spki', format: 'pem' }) as string).slice(0, 16)
  keyIds.set(publicKey, id)
  return id
}

const keyIds = new WeakMap<KeyObject, string>()

/** @throws Error when the PEM holds no Ed25519 key */
export function readPublicKey(pem: string): KeyObject {
  const key = createPublicKey(pem)
  if (key.asymmetricKeyType !== 'ed25519') throw new Error(`expected an Ed25519 key, got ${key.asymmetricKeyType}`)
  return key
}
