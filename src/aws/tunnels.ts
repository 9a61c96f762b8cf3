import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { OpenedTunnel } from '../../proxy/doorman.ts'
import { BrokerError, type ChannelTicket, type ViaInstances } from '../../proxy/session.ts'
import type { Config } from '../config/config.ts'
import type { Daemons } from '../daemons/daemons.ts'
import type { Identity } from '../identity/create-identity.ts'
import { idTokensOf } from '../identity/id-tokens.ts'
import type { SessionTunnels, TunnelSession } from '../sessions/tunnels.ts'
import type { Changes } from '../store/changes.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Aws, AwsCredentials, SessionAsk } from './aws.ts'
import { channelTicket, type SessionStream } from './channel-ticket.ts'
import { Renewing } from './renewing.ts'
import type { SessionManager, SessionManagerAt } from './session-manager.ts'
import { toSessionName } from './session-names.ts'

export interface TunnelsDeps {
  readonly aws: Pick<Aws, 'session'>
  readonly changes: Pick<Changes, 'subscribe'>
  readonly clock: Clock
  readonly config: Pick<Config['aws'], 'reachRole' | 'accounts'>
  readonly daemons: Pick<Daemons, 'id'>
  readonly identity: Pick<Identity, 'idToken' | 'loginOf'>
  readonly logger: Logger
  readonly sessionManagers: SessionManagerAt
  /** After the end of a grant, for what its sessions left running to be ended through the tunnel. */
  readonly endingMs?: number
}

interface Open {
  readonly manager: SessionManager
  readonly credentials: Renewing<AwsCredentials>
  /** What they are for: other tunnels for the same take them too. */
  readonly lease: string
  readonly region: string
  readonly instance: string
  /** Null: it is shared by many. */
  readonly grantId: string | null
}

/** Names of Session Manager sessions begin with that of who started them, so that the broker's can be told from others. */
const namePrefix = 'sp-'
/** Of tunnels that many share. The grant has the form that trust policies ask for; no grant has it. */
const shared = { person: 'sallyport-tunnels', grantId: 'grt_tunnels', requestId: 'tunnels' } as const
/** Each is a process on the instance. */
const mostPerInstance = 20
const defaultEndingMs = 10_000
/** When the daemon stops. */
const closeMs = 5000
/** How much longer than the grant its credentials last. */
const creditMs = 120_000

/**
 * Tunnels through instances, opened by a role that can do nothing else. In an account that trusts the hub they are the broker's own;
 * where it takes only ID tokens they are the person's, for one grant, and end with it.
 */
export class Tunnels implements SessionTunnels {
  readonly #deps: TunnelsDeps
  readonly #open = new Map<string, Open>()
  /** Instances, once for each that is being opened. */
  readonly #opening = new Set<{ readonly instance: string }>()
  /** Of this process: a daemon that starts again has the same id. */
  readonly #run = randomBytes(6).toString('hex')

  constructor(deps: TunnelsDeps) {
    this.#deps = deps
    const { changes, endingMs = defaultEndingMs } = deps
    changes.subscribe((change) => {
      if (change.what === 'grant') setTimeout(() => void this.#endThoseOf(change.id), endingMs).unref()
    })
  }

  async open(session: TunnelSession, instance: string): Promise<OpenedTunnel> {
    const known = [...this.#open.values(), ...this.#opening]
    if (known.filter((one) => one.instance === instance).length >= mostPerInstance)
      throw new BrokerError('TARGET_UNREACHABLE', `${mostPerInstance} tunnels lead through ${instance} already`)
    const opening = { instance }
    this.#opening.add(opening)
    try {
      return await this.#start(session, instance)
    } finally {
      this.#opening.delete(opening)
    }
  }

  async #start(session: TunnelSession, instance: string): Promise<OpenedTunnel> {
    const { sessionManagers, logger } = this.#deps
    const { facts } = session
    const { via, address } = facts.engine ?? {}
    if (!via || !address) throw new BrokerError('INTERNAL', `session ${facts.sessionId} goes through no instance`)
    const { region } = via.place
    const { credentials, lease } = this.#credentials(session, via, instance)
    const manager = sessionManagers(region, () => credentials.get())
    const { sessionId: tunnelId, ...stream } = await manager.start({
      target: instance,
      document: via.document,
      parameters: { host: address.host, portNumber: String(address.port) },
      reason: `${this.#mark} ${facts.resourceId}`,
    })
    const grantId = via.key === null ? facts.grantId : null
    const open: Open = { manager, credentials, lease, region, instance, grantId }
    this.#open.set(tunnelId, open)
    logger.info({ tunnel: tunnelId, instance, session: facts.sessionId }, 'tunnel opened')
    try {
      return { tunnelId, ticket: await sign(open, stream) }
    } catch (error) {
      await this.end(tunnelId)
      throw error
    }
  }

  async ticket(tunnelId: string): Promise<ChannelTicket | null> {
    const open = this.#open.get(tunnelId)
    if (!open) return null
    const stream = await open.manager.resume(tunnelId)
    return stream && (await sign(open, stream))
  }

  async end(tunnelId: string): Promise<void> {
    const open = this.#open.get(tunnelId)
    if (!open) return
    this.#open.delete(tunnelId)
    const { logger } = this.#deps
    try {
      await open.manager.terminate(tunnelId)
      logger.info({ tunnel: tunnelId, instance: open.instance }, 'tunnel ended')
    } catch (error) {
      // Nothing uses it, so that the service ends it by its document's idle time.
      logger.warn({ err: error, tunnel: tunnelId }, 'a tunnel could not be ended')
    }
  }

  /** With it begin the reasons that AWS is given. */
  get #mark(): string {
    return `${markOf(this.#deps.daemons.id)}${this.#run}:`
  }

  isLeftBy(daemonId: string, reason: string): boolean {
    return reason.startsWith(markOf(daemonId)) && !reason.startsWith(this.#mark)
  }

  /** Ends all that are open, as far as AWS answers. */
  async close(): Promise<void> {
    const ended = Promise.all([...this.#open.keys()].map((tunnelId) => this.end(tunnelId)))
    await Promise.race([ended, delay(closeMs, undefined, { ref: false })])
  }

  async #endThoseOf(grantId: string): Promise<void> {
    const theirs = [...this.#open].filter(([, open]) => open.grantId === grantId)
    await Promise.all(theirs.map(([tunnelId]) => this.end(tunnelId)))
  }

  #credentials(
    { facts, credential }: TunnelSession,
    via: ViaInstances,
    instance: string,
  ): Pick<Open, 'credentials' | 'lease'> {
    const { aws, clock, config, identity, logger } = this.#deps
    const isPersonal = via.key === null
    const { partition, account } = via.place
    const who = isPersonal
      ? { person: facts.principalName, grantId: facts.grantId, requestId: facts.requestId }
      : shared
    const ask: Omit<SessionAsk, 'until'> = {
      partition,
      account,
      role: via.role === undefined ? `arn:${partition}:iam::${account}:role/${config.reachRole}` : via.role,
      ...who,
      namePrefix,
      policy: JSON.stringify(policyFor(via, instance, who.person)),
      idToken: credential ? idTokensOf(identity, credential) : sessionIsOver,
    }
    const endsAt = isPersonal ? facts.endsAt + creditMs : Number.POSITIVE_INFINITY
    const lease = JSON.stringify([ask, credential?.id ?? null, endsAt])
    const known = [...this.#open.values()].find((open) => open.lease === lease)
    if (known) return { credentials: known.credentials, lease }
    const credentials = new Renewing({
      make: () => aws.session({ ...ask, until: endsAt }),
      clock,
      aheadMs: 600_000, // so that AWS and the identity provider may fail for ten minutes
      until: endsAt,
      marginMs: 60_000,
      onLateRenewal: (error) => logger.warn({ err: error }, 'credentials of a tunnel could not be renewed ahead'),
    })
    return { credentials, lease }
  }
}

function markOf(daemonId: string): string {
  return `sallyport tunnel ${daemonId}/`
}

async function sessionIsOver(): Promise<never> {
  throw new BrokerError('LOGIN_REQUIRED', 'the session is over')
}

async function sign({ region, credentials }: Open, stream: SessionStream): Promise<ChannelTicket> {
  return await channelTicket(stream, region, await credentials.get())
}

/** The narrowest that AWS allows: one instance by one document, whose patterns limit host and port, and these sessions alone. */
function policyFor({ place, document }: ViaInstances, instance: string, person: string): object {
  const { partition, account, region } = place
  const name = toSessionName(`${namePrefix}${person}`)
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: 'ssm:StartSession',
        Resource: [
          `arn:${partition}:ec2:${region}:${account}:instance/${instance}`,
          `arn:${partition}:ssm:${region}:${account}:document/${document}`,
        ],
        Condition: { BoolIfExists: { 'ssm:SessionDocumentAccessCheck': 'true' } },
      },
      {
        Effect: 'Allow',
        Action: ['ssm:ResumeSession', 'ssm:TerminateSession'],
        Resource: `arn:${partition}:ssm:${region}:${account}:session/${name}-*`,
      },
      { Effect: 'Allow', Action: 'ssmmessages:OpenDataChannel', Resource: '*' },
    ],
  }
}
