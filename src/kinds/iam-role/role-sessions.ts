import type { ClientOrigin, Doorman, Identity, SessionPermit } from '../../../proxy/session.ts'
import type { AccessService } from '../../access/access.ts'
import type { AwsCredentials } from '../../aws/aws.ts'
import { type Held, heldBy, type Kind } from '../../catalog/kind.ts'
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
  readonly access: Pick<AccessService, 'check'>
  readonly doorman: Pick<Doorman, 'open' | 'started' | 'end'>
  /** What was decided when the permit was made. */
  answerOf(permit: SessionPermit): { readonly held: Held }
  readonly kind: Kind<RoleTarget, RoleLevel>
}

/** Open sessions of roles: one for each login, role, level and grant, whatever the number of tools that ask. */
export class RoleSessions {
  readonly #deps: RoleSessionsDeps
  readonly #byKey = new Map<string, Promise<RoleSession>>()
  #openCount = 0

  constructor(deps: RoleSessionsDeps) {
    this.#deps = deps
  }

  /** Nothing flows through these, so that a daemon which drains need not wait for them. */
  get openCount(): number {
    return this.#openCount
  }

  /**
   * Credentials of the role, from memory where they are there.
   * @throws BrokerError GRANT_DENIED and whatever else the doorman says, AWS_DENIED, AWS_UNAVAILABLE, LOGIN_REQUIRED
   */
  async handOut(ask: RoleAsk, how: Pick<HandOut, 'as' | 'destination'> = { as: 'credentials' }): Promise<HandedOut> {
    const session = await this.#sessionFor(ask)
    const { client, tool } = ask
    const credentials = await session.handOut({ client, ...(tool === undefined ? {} : { tool }), ...how })
    return { credentials, permit: session.permit, target: session.target }
  }

  async #sessionFor(ask: RoleAsk): Promise<RoleSession> {
    const { principalId, credential } = ask.identity
    const { resource, level } = ask
    const answer = await this.#deps.access.check({ principalId, resource, ...(level === undefined ? {} : { level }) })
    // A denial is the doorman's to say, and to write down.
    if (!answer.allowed || answer.held.resource.kind !== this.#deps.kind.name) return await this.#open(ask, '')
    const { grant } = answer
    const { id } = answer.held.resource
    const key = JSON.stringify([credential.id, id, grant.level, grant.id])
    let held = this.#byKey.get(key)
    if (!held) {
      held = this.#open({ ...ask, resource: id, level: grant.level }, key)
      this.#byKey.set(key, held)
      held.catch(() => this.#byKey.delete(key)) // whoever asked is told
    }
    const session = await held
    if (session.isOver) return await this.#sessionFor(ask) // it ended meanwhile, and its key with it
    session.runUntil(grant.endsAt)
    return session
  }

  async #open(ask: RoleAsk, key: string): Promise<RoleSession> {
    const { doorman, answerOf, kind } = this.#deps
    const { identity, resource: resourceId, level, client, tool } = ask
    const permit = await doorman.open({
      identity,
      resourceId,
      client,
      kinds: [kind.name],
      ...(level === undefined ? {} : { level }),
      ...(tool === undefined ? {} : { tool }),
    })
    this.#openCount++
    const { target, level: meaning } = heldBy(kind, answerOf(permit).held)
    await doorman.started(permit, { role: target.roleArn, account: target.account })
    const open = { permit, target, level: meaning, credentialId: identity.credential.id }
    return new RoleSession(this.#deps, open, (end) => {
      this.#end(permit, key, end).catch((error: unknown) =>
        this.#deps.logger.error({ err: error, session: permit.sessionId }, 'a session could not be ended in order'),
      )
    })
  }

  async #end(permit: SessionPermit, key: string, end: RoleSessionEnd): Promise<void> {
    this.#byKey.delete(key)
    this.#openCount--
    await this.#deps.doorman.end(permit, { ...end, bytesUp: 0, bytesDown: 0 })
  }
}
