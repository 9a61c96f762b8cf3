import type { Identity } from '../../../proxy/doorman.ts'
import type { ClientOrigin, SessionPermit } from '../../../proxy/session.ts'
import type { AwsCredentials } from '../../aws/aws.ts'
import { heldBy, type Kind } from '../../catalog/kind.ts'
import type { LocalSessions } from '../../sessions/local-sessions.ts'
import type { RoleLevel } from './level.ts'
import { type HandOut, RoleSession, type RoleSessionDeps, type RoleSessionEnd } from './role-session.ts'
import type { RoleTarget } from './target.ts'

export interface RoleAsk {
  readonly identity: Identity
  /** Full id, or its last part. */
  readonly resource: string
  readonly level?: string
  readonly client: ClientOrigin
  readonly tool?: string
}

export interface HandedOut {
  readonly credentials: AwsCredentials
  readonly permit: SessionPermit
  readonly target: RoleTarget
}

export interface RoleSessionsDeps extends RoleSessionDeps {
  readonly sessions: LocalSessions
  readonly kind: Kind<RoleTarget, RoleLevel>
}

/** Open sessions of roles: one for each login, role, level and grant, however many tools use it. */
export class RoleSessions {
  readonly #deps: RoleSessionsDeps
  readonly #byKey = new Map<string, Promise<RoleSession>>()
  readonly #open = new Map<string, RoleSession>()

  constructor(deps: RoleSessionsDeps) {
    this.#deps = deps
    deps.sessions.onMoved((sessionId, endsAt) => this.#open.get(sessionId)?.runUntil(endsAt))
  }

  /** No bytes flow through these, so a draining daemon need not wait for them. */
  get openCount(): number {
    return this.#open.size
  }

  /**
   * Credentials of the role, from memory if possible.
   * @throws BrokerError GRANT_DENIED and other refusals of the doorman, AWS_DENIED, AWS_UNAVAILABLE, LOGIN_REQUIRED
   */
  async handOut(ask: RoleAsk, how: Pick<HandOut, 'as' | 'destination'> = { as: 'credentials' }): Promise<HandedOut> {
    const session = await this.#sessionFor(ask, how.as)
    const { client, tool } = ask
    const credentials = await session.handOut({ client, ...(tool === undefined ? {} : { tool }), ...how })
    return { credentials, permit: session.permit, target: session.target }
  }

  async #sessionFor(ask: RoleAsk, door: HandOut['as']): Promise<RoleSession> {
    const { credential } = ask.identity
    const { grant, held: found } = await this.#deps.sessions.check(this.#toOpenAsk(ask), door)
    const {
      resource: { id },
      target,
    } = found
    // Its target, because a reload of the configuration may change how the role is assumed.
    const key = JSON.stringify([credential.id, id, grant.level, grant.id, target])
    let held = this.#byKey.get(key)
    if (!held) {
      held = this.#begin({ ...ask, resource: id, level: grant.level }, key)
      this.#byKey.set(key, held)
      held.catch(() => this.#byKey.delete(key)) // the caller gets the error
    }
    const session = await held
    if (session.isOver) return await this.#sessionFor(ask, door) // it has ended, and its key was removed
    return session
  }

  async #begin(ask: RoleAsk, key: string): Promise<RoleSession> {
    const { sessions, kind } = this.#deps
    const permit = await sessions.open(this.#toOpenAsk(ask))
    try {
      const { held } = sessions.known(permit.sessionId)
      const { target, level: meaning } = heldBy(kind, held)
      await sessions.started(permit, { role: target.roleArn, account: target.account })
      const open = { permit, target, level: meaning, credentialId: ask.identity.credential.id }
      const session = new RoleSession(this.#deps, open, (end) => void this.#end(permit, key, end))
      this.#open.set(permit.sessionId, session)
      session.runUntil(sessions.known(permit.sessionId).facts.endsAt) // the end may have moved before `onMoved` could see it
      return session
    } catch (error) {
      await this.#end(permit, key, { reason: 'open-failed', error: error as Error })
      throw error
    }
  }

  #toOpenAsk({ identity, resource: resourceId, level, client, tool }: RoleAsk) {
    return {
      identity,
      resourceId,
      client,
      kind: this.#deps.kind.name,
      ...(level === undefined ? {} : { level }),
      ...(tool === undefined ? {} : { tool }),
    }
  }

  async #end(permit: SessionPermit, key: string, end: RoleSessionEnd): Promise<void> {
    this.#byKey.delete(key)
    this.#open.delete(permit.sessionId)
    await this.#deps.sessions.end(permit, { ...end, bytesUp: 0, bytesDown: 0 })
  }
}
