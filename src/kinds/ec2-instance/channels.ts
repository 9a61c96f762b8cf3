import { BrokerError, type ChannelKey, type ChannelKeyAsk, type ChannelTicket } from '../../../proxy/session.ts'
import { channelTicket, type SessionStream } from '../../aws/channel-ticket.ts'
import type { DataKeys } from '../../aws/data-keys.ts'
import type { ActiveSession, SessionManager, SessionManagerAt, StartedSession } from '../../aws/session-manager.ts'
import { heldBy } from '../../catalog/kind.ts'
import type { KnownSession, SessionChannels } from '../../sessions/session-kinds.ts'
import { copyStart } from './copy.ts'
import { type CredentialsDeps, type InstanceSession, keyContext, ShellCredentials } from './credentials.ts'
import { checkDocument, commandParameter, pinnedOf } from './document.ts'
import { ec2Instance } from './kind.ts'
import { type ChannelStart, sshKeyStart } from './ssh-key.ts'
import { sshDocumentName } from './ssh-level.ts'

/** A minute, and what clocks may differ by. */
const keyCommandMs = 90_000

export interface ChannelsDeps extends CredentialsDeps {
  readonly dataKeys: DataKeys
  readonly sessionManagers: SessionManagerAt
}

/** One session of ours, and the Session Manager session behind it. */
interface Open {
  readonly session: InstanceSession
  readonly manager: SessionManager
  readonly started: Promise<StartedSession>
}

/** Starts, resumes and ends the Session Manager sessions of shells. */
export class ShellChannels implements SessionChannels {
  readonly #deps: ChannelsDeps
  readonly #credentials: ShellCredentials
  /** By the credentials of {@link ShellCredentials.of}, which are of one instance. */
  readonly #managers = new WeakMap<object, SessionManager>()
  readonly #open = new Map<string, Open>()
  /** Of sessions that are over: AWS could not be asked to end them, or did not say whether one was started. */
  readonly #left = new Map<string, InstanceSession>()

  constructor(deps: ChannelsDeps) {
    this.#deps = deps
    this.#credentials = new ShellCredentials(deps)
  }

  async ticket(known: KnownSession, command?: string): Promise<ChannelTicket | null> {
    const session = toInstanceSession(known)
    const { sessionId } = session.facts
    const open = this.#open.get(sessionId)
    if (!open) return await this.#sign(session, await this.#start(session, command))
    const stream = await open.manager.resume((await open.started).sessionId)
    return stream && (await this.#sign(session, stream))
  }

  /** For the context that the agent decrypts it with: its own session, and the instance as the session was started at it. */
  async key(known: KnownSession, { keyId, challenge }: ChannelKeyAsk): Promise<ChannelKey> {
    const session = toInstanceSession(known)
    const { facts, target, level } = session
    const open = this.#open.get(facts.sessionId)
    if (!open) throw new BrokerError('INTERNAL', `no session was started for ${facts.sessionId}`)
    if (level.kmsKey === null || keyId !== level.kmsKey)
      throw new BrokerError(
        'TARGET_UNTRUSTED',
        `the instance asks for another key of KMS than the level names: ${keyId}`,
      )
    const context = {
      ...keyContext((await open.started).sessionId, target.instanceId),
      ...(challenge === undefined ? {} : { 'aws:ssm:RandomChallenge': challenge }),
    }
    return await this.#deps.dataKeys(await this.#credentials.of(session).get(), { key: level.kmsKey, context })
  }

  /** For a session that only looks at what others would be started with. */
  look(known: KnownSession) {
    const session = toInstanceSession(known)
    const credentials = () => this.#credentials.of(session).get()
    const manager = this.#deps.sessionManagers(session.target.region, credentials)
    return { session, credentials, manager, dataKeys: this.#deps.dataKeys }
  }

  async #start(session: InstanceSession, command: string | undefined): Promise<StartedSession> {
    const { sessionId } = session.facts
    const manager = this.#managerOf(session)
    const started = this.#startChecked(session, manager, command)
    this.#open.set(sessionId, { session, manager, started })
    try {
      return await started
    } catch (error) {
      this.#open.delete(sessionId)
      throw error
    }
  }

  /** Sessions that share credentials share a client of AWS, too: one each would be a fifth of what a shell takes of memory. */
  #managerOf(session: InstanceSession): SessionManager {
    const credentials = this.#credentials.of(session)
    const manager =
      this.#managers.get(credentials) ?? this.#deps.sessionManagers(session.target.region, () => credentials.get())
    this.#managers.set(credentials, manager)
    return manager
  }

  /** The document is read each time: StartSession takes no version, and no digest. */
  async #startChecked(
    session: InstanceSession,
    manager: SessionManager,
    command: string | undefined,
  ): Promise<StartedSession> {
    const { facts, target, level } = session
    const { document, parameters, check } = sshKeyStart(facts) ?? copyStart(facts, level) ?? startOf(session, command)
    check(await manager.document(document))
    try {
      return await manager.start({
        target: target.instanceId,
        document,
        ...(parameters ? { parameters } : {}),
        reason: reasonOf(facts.sessionId),
      })
    } catch (error) {
      // It may have been started all the same, and only the answer is missing.
      if (error instanceof BrokerError && error.code === 'AWS_UNAVAILABLE') this.#left.set(facts.sessionId, session)
      throw error
    }
  }

  async #sign(session: InstanceSession, stream: SessionStream): Promise<ChannelTicket> {
    return await channelTicket(stream, session.target.region, await this.#credentials.of(session).get())
  }

  async end(known: KnownSession): Promise<void> {
    const { sessionId } = known.facts
    const session = toInstanceSession(known)
    const open = this.#open.get(sessionId)
    this.#open.delete(sessionId)
    const isUnsure = this.#left.has(sessionId)
    if (!open && !isUnsure) return
    this.#left.set(sessionId, session)
    if (open) await this.#terminate(open)
    if (isUnsure) await this.#endByReason(session)
    else this.#left.delete(sessionId)
  }

  async #terminate({ session, started }: Open): Promise<void> {
    const name = await started.then(
      ({ sessionId }) => sessionId,
      () => undefined, // told to who asked for it
    )
    if (name !== undefined) await this.#asEnding(session, (ending) => ending.terminate(name))
  }

  /** Its streams go by tunnels, which bear the mark of their daemon: many sessions may share one. */
  async endLost(known: KnownSession, isLeft: (reason: string) => boolean): Promise<void> {
    await this.#endByReason(toInstanceSession(known), isLeft)
  }

  /** Found by the reasons that they were started with. What must not be ended yet is left for later. */
  async #endByReason(session: InstanceSession, isLeft = (_: string) => false): Promise<void> {
    const own = reasonOf(session.facts.sessionId)
    let isDone = true
    await this.#asEnding(session, async (manager) => {
      const active = await manager.active(this.#credentials.ownerOf(session))
      for (const one of active) {
        if (one.reason !== own && (one.reason === null || !isLeft(one.reason))) continue
        if (removesKeySoon(one, session, this.#deps.clock.now())) isDone = false
        else await manager.terminate(one.sessionId)
      }
    })
    if (isDone) this.#left.delete(session.facts.sessionId)
    else this.#left.set(session.facts.sessionId, session)
  }

  /** Tries again what could not be ended. A failure affects no other. */
  async endLeft(isOpen: (sessionId: string) => boolean): Promise<void> {
    for (const [sessionId, session] of this.#left) {
      if (isOpen(sessionId)) continue
      try {
        await this.#endByReason(session)
      } catch (error) {
        this.#deps.logger.warn({ err: error, session: sessionId }, 'a shell that is over could not be ended at AWS')
      }
    }
  }

  async #asEnding(session: InstanceSession, use: (manager: SessionManager) => Promise<void>): Promise<void> {
    const manager = this.#deps.sessionManagers(session.target.region, () => this.#credentials.toEnd(session))
    await use(manager)
  }
}

/** @param command undefined: a shell @throws BrokerError GRANT_DENIED */
function startOf({ facts, level }: InstanceSession, command: string | undefined): ChannelStart {
  const pinned = command === undefined ? level : level.commands
  if (!pinned) throw new BrokerError('GRANT_DENIED', `the access level ${facts.level} does not run single commands`)
  const use = command === undefined ? 'shell' : 'command'
  return {
    document: pinned.document,
    check: (found) => checkDocument(pinnedOf(level, pinned), found, use),
    ...(command === undefined ? {} : { parameters: { [commandParameter]: command } }),
  }
}

/** Agents kill what they end: the command that has put in a key would not remove it, as it does by itself within a minute. */
function removesKeySoon(
  { document, startedAt }: ActiveSession,
  { level: { osUser } }: InstanceSession,
  now: number,
): boolean {
  return document === sshDocumentName(osUser) && startedAt !== null && now - startedAt < keyCommandMs
}

/** Shown by AWS, and how a session is found again. */
function reasonOf(sessionId: string): string {
  return `sallyport ${sessionId}`
}

function toInstanceSession({ facts, held, credential }: KnownSession): InstanceSession {
  const { target, level } = heldBy(ec2Instance, held)
  return { facts, credential, target, level }
}
