import { createHash, randomBytes } from 'node:crypto'
import { isSameBytes } from '../../proxy/constant-time.ts'
import type { Doorman, OpenAsk, ResumeAsk, Resumed } from '../../proxy/doorman.ts'
import { makeSessionNumber, type Place, placeOf } from '../../proxy/place.ts'
import { BrokerError, type PermitFacts } from '../../proxy/session.ts'
import type { AuditLog } from '../audit/audit.ts'
import { type Allowed, denied } from './open-session.ts'
import type { KnownSession } from './session-kinds.ts'

const secretBytes = 32
/** Of sessions that are over, so that a client that comes back is told why. */
const mostEnded = 1000

export interface ResumesDeps {
  readonly audit: Pick<AuditLog, 'append' | 'appendRemoval'>
  /** The grant, and the credential at its door. @throws BrokerError */
  check(ask: OpenAsk, grantId: string): Promise<Allowed>
  /** @throws BrokerError GRANT_DENIED once it was cut, INTERNAL once it has ended */
  uncut(sessionId: string): KnownSession
}

interface Key {
  readonly sessionId: string
  readonly digest: Buffer
  /** Set once it is over. */
  endText?: string
}

/**
 * Keys by which clients go on with sessions after they have lost their connection: one for each session, used once, good only for the
 * person and the sign-in whose session it is. A key is `NUMBER.SECRET`; the number names daemon and front.
 */
export class Resumes {
  readonly #deps: ResumesDeps
  readonly #keys = new Map<number, Key>()
  /** By session. */
  readonly #numbers = new Map<string, number>()
  readonly #ended: number[] = []

  constructor(deps: ResumesDeps) {
    this.#deps = deps
  }

  /** The doorman's calls of the front there. */
  calls(place: Place): Pick<Doorman, 'resumeKey' | 'resume'> {
    return {
      resumeKey: async (sessionId) => {
        this.#deps.uncut(sessionId)
        return this.#issue(sessionId, place)
      },
      resume: (ask) => this.#resume(ask, place),
    }
  }

  /** @param text why, for its client */
  end(sessionId: string, text: string): void {
    const number = this.#numbers.get(sessionId)
    if (number === undefined) return
    this.#numbers.delete(sessionId)
    const key = this.#keys.get(number)
    if (!key) return
    key.endText = text
    if (this.#ended.push(number) > mostEnded) this.#keys.delete(this.#ended.shift() ?? 0)
  }

  #issue(sessionId: string, place: Place): string {
    this.#keys.delete(this.#numbers.get(sessionId) ?? 0)
    let number = makeSessionNumber(place)
    while (this.#keys.has(number)) number = makeSessionNumber(place)
    const secret = randomBytes(secretBytes)
    this.#keys.set(number, { sessionId, digest: digestOf(secret) })
    this.#numbers.set(sessionId, number)
    return `${number}.${secret.toString('base64url')}`
  }

  async #resume(ask: ResumeAsk, place: Place): Promise<Resumed> {
    const { number, digest } = readKey(ask.key)
    const at = placeOf(number)
    if (at.daemon !== place.daemon || at.front !== place.front)
      throw new BrokerError('SESSION_ELSEWHERE', undefined, { hint: 'try again, or open another one' })
    const key = this.#keys.get(number)
    if (!key || !isSameBytes(key.digest, digest)) throw unknownKey()
    if (key.endText !== undefined) throw new BrokerError('RESUME_REFUSED', key.endText)
    const { facts, credential } = this.#deps.uncut(key.sessionId)
    const { identity } = ask
    if (identity.principalId !== facts.principalId || identity.credential.id !== credential.id)
      throw await this.#refusal(ask, facts, unknownKey())
    this.#keys.delete(number) // at once: of two who have it one goes on
    try {
      await this.#admit(ask, facts)
    } catch (error) {
      if (this.#numbers.get(key.sessionId) === number) this.#keys.set(number, key) // nobody has gone on with it
      throw error
    }
    return { sessionId: key.sessionId, key: this.#issue(key.sessionId, place) }
  }

  async #admit(ask: ResumeAsk, facts: PermitFacts): Promise<void> {
    const { identity, client } = ask
    const { sessionId, grantId, resourceId, level, principalId } = facts
    const { check, audit, uncut } = this.#deps
    try {
      await check({ identity, client, carrier: ask.carrier, resourceId, level }, grantId)
    } catch (error) {
      throw await this.#refusal(ask, facts, error)
    }
    const fields = { session: sessionId, grant: grantId, via: client.via, credential: identity.credential.id }
    const text = { name: identity.name, address: client.address }
    await audit.append({ type: 'session.resumed', actor: principalId, fields, text })
    uncut(sessionId) // a cut that came meanwhile
  }

  async #refusal(ask: ResumeAsk, { resourceId, level }: PermitFacts, error: unknown): Promise<unknown> {
    await this.#deps.audit.appendRemoval(denied({ ...ask, resourceId, level }, error))
    return error
  }
}

function unknownKey(): BrokerError {
  return new BrokerError('RESUME_REFUSED', 'its key was used, or is not known', {
    hint: 'the broker may have been restarted; open another one',
  })
}

function digestOf(secret: Uint8Array): Buffer {
  return createHash('sha256').update(secret).digest()
}

/** @throws BrokerError RESUME_REFUSED */
function readKey(key: string): { readonly number: number; readonly digest: Buffer } {
  const [, number, secret] = /^([1-9][0-9]{0,9})\.([A-Za-z0-9_-]{43})$/.exec(key) ?? []
  if (number === undefined || secret === undefined || Number(number) >= 2 ** 31) throw unknownKey()
  return { number: Number(number), digest: digestOf(Buffer.from(secret, 'base64url')) }
}
