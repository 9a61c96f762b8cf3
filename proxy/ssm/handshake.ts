import { BrokerError } from '../session.ts'
import {
  actionStatus,
  decodeChallenge,
  decodeHandshakeComplete,
  decodeHandshakeRequest,
  encodeChallenge,
  encodeHandshakeResponse,
  type HandshakeRequest,
  type ProcessedAction,
  processedEncryption,
  processedSessionType,
} from '../wire/ssm/handshake.ts'
import { payloadType } from '../wire/ssm/message.ts'
import { SessionCipher } from '../wire/ssm/session-cipher.ts'
import { WireError } from '../wire/wire-error.ts'
import type { ChannelOptions, SessionStart } from './channel.ts'
import { clientVersion } from './connection.ts'

type State = 'undecided' | 'requested' | 'responded' | 'complete'

export interface HandshakeParts extends Pick<ChannelOptions, 'dataKey' | 'isEncrypted'> {
  send(payloadType: number, payload: Buffer): void
  ready(start: SessionStart): void
  fail(error: unknown): void
}

/**
 * How a session begins. The agent decides: shells without a KMS key begin with their first output, all others with a request, to
 * which nothing but the response may be sent until the agent has said that the handshake is complete.
 */
export class Handshake {
  readonly #parts: HandshakeParts
  #state: State = 'undecided'
  #request: HandshakeRequest | undefined
  #cipher: SessionCipher | undefined

  constructor(parts: HandshakeParts) {
    this.#parts = parts
  }

  get isComplete(): boolean {
    return this.#state === 'complete'
  }

  /** @returns whether the payload was a part of it @throws WireError for one that is out of order */
  receive(type: number, payload: Buffer): boolean {
    switch (type) {
      case payloadType.handshakeRequest:
        this.#step('undecided', 'requested')
        this.#request = decodeHandshakeRequest(payload)
        this.#respond(this.#request).catch((error: unknown) => this.#parts.fail(error))
        return true
      case payloadType.challengeRequest:
        this.#step('responded', 'responded')
        this.#answer(payload)
        return true
      case payloadType.handshakeComplete:
        this.#step('responded', 'complete')
        this.#requireCipher()
        this.#parts.ready(startOf(this.#request, decodeHandshakeComplete(payload)))
        return true
      default:
        if (this.isComplete) return false
        if (type === payloadType.flag) throw new WireError('a flag before the session has begun')
        this.#step('undecided', 'complete')
        this.#requireCipher()
        this.#parts.ready(startOf(undefined, ''))
        return false
    }
  }

  /** Encrypted, where the session is. */
  outgoing(type: number, payload: Buffer): Buffer {
    return this.#cipher && isEncrypted(type) ? this.#cipher.encrypt(payload) : payload
  }

  /** @throws WireError when it cannot be decrypted */
  incoming(type: number, payload: Buffer): Buffer {
    return this.#cipher && isEncrypted(type) ? this.#cipher.decrypt(payload) : payload
  }

  /** Before anything is shown or sent. */
  #requireCipher(): void {
    if (this.#parts.isEncrypted && !this.#cipher)
      throw new BrokerError(
        'TARGET_UNTRUSTED',
        'the instance began the session without the encryption that was agreed on',
      )
  }

  #step(from: State, to: State): void {
    if (this.#state !== from) throw new WireError('a step of the handshake is out of order')
    this.#state = to
  }

  async #respond(request: HandshakeRequest): Promise<void> {
    const actions = [processedSessionType, ...request.unknown.map(unsupported)]
    let refusal = request.unknown.length > 0 ? `the agent asks for ${request.unknown.join(', ')}` : undefined
    const { encryption } = request
    if (encryption) {
      const key = await this.#parts.dataKey?.(encryption)
      if (key) {
        this.#cipher = new SessionCipher(key.plaintext)
        actions.push(processedEncryption(key.ciphertext, encryption.challenge !== undefined))
      } else {
        actions.push(unsupported('KMSEncryption'))
        refusal = 'the session must be encrypted with a KMS key'
      }
    }
    await null // its acknowledgement goes first
    this.#step('requested', 'responded')
    this.#parts.send(payloadType.handshakeResponse, encodeHandshakeResponse(clientVersion, actions))
    if (refusal !== undefined) throw new BrokerError('UNSUPPORTED', refusal)
  }

  /** Proves that we hold the data key. */
  #answer(payload: Buffer): void {
    if (!this.#cipher) throw new WireError('a challenge without encryption')
    const challenge = this.#cipher.decrypt(decodeChallenge(payload))
    this.#parts.send(payloadType.challengeResponse, encodeChallenge(this.#cipher.encrypt(challenge)))
  }
}

function isEncrypted(type: number): boolean {
  return type === payloadType.output || type === payloadType.stderr || type === payloadType.exitCode
}

function unsupported(type: string): ProcessedAction {
  return { type, status: actionStatus.unsupported, result: null, error: `Unsupported action ${type}` }
}

function startOf(request: HandshakeRequest | undefined, message: string): SessionStart {
  if (!request) return { sessionType: null, properties: null, agentVersion: null, message }
  const { sessionType, properties, agentVersion } = request
  return { sessionType, properties, agentVersion, message }
}
