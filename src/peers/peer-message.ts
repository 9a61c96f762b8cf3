/**
 * Messages between the daemons of one installation: sealed, and signed over all that gives them meaning, by keys that only these
 * daemons have. So neither a network nor a balancer between them can read, change, repeat or redirect one.
 */
import { createHash, randomBytes } from 'node:crypto'
import { isSameBytes } from '../../proxy/constant-time.ts'
import type { Keyring } from '../store/keyring.ts'

export type PeerKeys = Pick<Keyring, 'mac' | 'checkMac' | 'seal' | 'unseal'>

export const peerHeader = 'sallyport-peer'

/** Of a message; its body is checked by itself, so that nobody else's is even read. */
export interface MessageHead {
  /** Epoch milliseconds. */
  readonly time: number
  /** Of an answer, that of what it answers. */
  readonly nonce: string
  /** Of the sealed body. */
  readonly digest: string
  readonly mac: string
}

/** What a message is about: signed, and not in its header. */
export type Subject =
  /** @param to id of the daemon */
  | { readonly side: 'ask'; readonly to: string; readonly path: string }
  | { readonly side: 'answer'; readonly from: string; readonly path: string }

const purpose = 'peers'

export interface SignedMessage {
  readonly header: string
  readonly nonce: string
  readonly body: Buffer
}

/** @param nonce of the message that this one answers */
export function signMessage(
  keys: PeerKeys,
  subject: Subject,
  content: unknown,
  now: number,
  nonce: string = randomBytes(16).toString('base64url'),
): SignedMessage {
  const body = keys.seal(purpose, Buffer.from(JSON.stringify(content)))
  const head = { time: now, nonce, digest: digestOf(body) }
  const mac = keys.mac(purpose, textOf(subject, head))
  return { header: `v1 ${head.time} ${nonce} ${head.digest} ${mac}`, nonce, body }
}

const form = /^v1 ([0-9]{13}) ([\w-]{22}) ([\w-]{43}) ([0-9a-f]{16}\.[\w-]{43})$/

/** Undefined for what has another form. */
export function readHead(header: unknown): MessageHead | undefined {
  const [, time, nonce, digest, mac] = (typeof header === 'string' && form.exec(header)) || []
  if (time === undefined || nonce === undefined || digest === undefined || mac === undefined) return undefined
  return { time: Number(time), nonce, digest, mac }
}

export function isSigned(keys: PeerKeys, subject: Subject, head: MessageHead): boolean {
  return keys.checkMac(purpose, textOf(subject, head), head.mac)
}

/** @returns undefined when the body is not the one that the head was made for */
export function openBody(keys: PeerKeys, { digest }: MessageHead, body: Uint8Array): unknown {
  if (!isSameBytes(Buffer.from(digestOf(body)), Buffer.from(digest))) return undefined
  return JSON.parse(keys.unseal(purpose, body).toString())
}

function textOf(subject: Subject, { time, nonce, digest }: Omit<MessageHead, 'mac'>): string {
  const daemon = subject.side === 'ask' ? subject.to : subject.from
  return JSON.stringify([subject.side, 'POST', subject.path, daemon, time, nonce, digest])
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64url')
}
