import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyPluginAsync } from 'fastify'
import type { StreamTo } from '../../proxy/doorman.ts'
import type { EarlyConnection, TakenConnection } from '../../proxy/ports/early-connection.ts'
import type { Reach } from '../../proxy/reach/reach.ts'
import type { Trust } from '../../proxy/reach/trust.ts'
import type { SessionHost } from '../../proxy/relay/session-host.ts'
import type { ClientOrigin, EngineFacts, FailedLease, Lease } from '../../proxy/session.ts'
import type { AccessService } from '../access/access.ts'
import type { AuditLog } from '../audit/audit.ts'
import type { Aws } from '../aws/aws.ts'
import type { DataKeys } from '../aws/data-keys.ts'
import type { SessionManagerAt } from '../aws/session-manager.ts'
import type { Held, Kind } from '../catalog/kind.ts'
import type { CatalogEntry } from '../catalog/resource.ts'
import type { Config } from '../config/config.ts'
import type { TargetCheck } from '../contract/aws.ts'
import type { ServiceUsage } from '../contract/grants.ts'
import type { Leadership } from '../daemons/leadership.ts'
import type { Identity } from '../identity/create-identity.ts'
import type { Discovery, DiscoveryParts } from '../inventory/discovery.ts'
import type { Pusher } from '../pushed/pusher.ts'
import type { LocalSessions } from '../sessions/local-sessions.ts'
import type { Preflight } from '../sessions/preflights.ts'
import type { KnownSession, SessionChannels } from '../sessions/session-kinds.ts'
import type { Changes } from '../store/changes.ts'
import type { Keyring } from '../store/keyring.ts'
import type { RowProblem } from '../store/signed-rows.ts'
import type { Db } from '../store/store.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { IdentityCenterPushers } from './identity-center/pushers.ts'
import type { SeenUses } from './seen-use.ts'

/** Dependencies of the deciding side of a kind. */
export interface KindParts {
  readonly access: AccessService
  readonly audit: AuditLog
  readonly aws: Aws
  readonly changes: Changes
  readonly clock: Clock
  readonly config: Config
  readonly dataKeys: DataKeys
  readonly db: Db
  readonly identity: Pick<Identity, 'idToken' | 'loginOf'>
  readonly keyring: Keyring
  /** For what is done once, however many daemons share the store. */
  readonly leader: Leadership
  /** Identity Center with its home in a region. */
  readonly identityCenterAt: (region: string) => IdentityCenterPushers
  /** Its home as it is set now. */
  readonly identityCenterRegion: () => string
  readonly logger: Logger
  readonly metrics: Metrics
  readonly sessions: LocalSessions
  readonly sessionManagers: SessionManagerAt
}

/** Something a kind does periodically; must be safe to repeat. */
export interface Chore {
  readonly what: string
  readonly everyMs: number
  /** Once on every daemon, or once for the whole installation. */
  readonly per: 'daemon' | 'installation'
  /** @param signal aborted when the daemon stops */
  run(signal: AbortSignal): Promise<unknown>
}

/** Epoch milliseconds. */
export interface UsesRange {
  readonly since: number
  readonly until: number
}

/** The deciding side of a kind, while the daemon runs. */
export interface RunningKind {
  /** Its own routes. */
  readonly api?: FastifyPluginAsync
  readonly chores?: readonly Chore[]
  /**
   * Where a session of it reaches its target. Left out by kinds that carry no bytes.
   * @param to of a stream @throws BrokerError GRANT_DENIED when the level does not let it lead there
   */
  permit?(held: Held, to?: StreamTo): EngineFacts
  /**
   * The credential of an open session, fetched while it connects.
   * @param failed what its target did not take of the one before @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE
   */
  lease?(sessionId: string, failed?: FailedLease): Promise<Lease>
  /** The same if it is there without waiting. */
  leaseAtHand?(session: KnownSession): Lease | null
  /**
   * The last credential of a session that is over, for nothing but ending what still runs at its target; it is there even when
   * the grant is not any more. @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE
   */
  leaseToEnd?(session: KnownSession): Promise<Lease>
  /** The Session Manager sessions that carry its sessions. */
  readonly channels?: SessionChannels
  /** At start: handles access that was taken away while no daemon ran. */
  recover?(): Promise<void>
  /** Rows of its own tables that the broker did not write, or that are gone, for `audit verify`. */
  checkRows?(): AsyncIterable<RowProblem>
  /**
   * Signs in to a target as sessions of a level do, and says what is missing there, or wider than the level, by a fixed list of
   * statements. What the target refuses is a check that failed, not an error.
   */
  validate?(preflight: Preflight): Promise<readonly TargetCheck[]>
  /**
   * Who used a target in AWS, as its logs have it, and by which grant.
   * @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE; the signal's reason
   */
  uses?(target: unknown, range: UsesRange, signal: AbortSignal): Promise<SeenUses>
  /** When a target was used last, and for which services. @throws as `uses` */
  servicesOf?(target: unknown, signal: AbortSignal): Promise<Omit<ServiceUsage, 'resource'>>
  /**
   * What AWS says of a target, without signing in to it. What AWS refuses to say is a check that failed, not an error.
   * @param levels that the resource has, as the kind read them
   */
  check?(
    entry: CatalogEntry,
    levels: ReadonlyMap<string, unknown>,
    signal: AbortSignal,
  ): Promise<readonly TargetCheck[]>
  /** How AWS itself holds what its grants give; left out: the broker carries each session. */
  readonly push?: Pusher
  /** Resolves when running work is done. */
  settled?(): Promise<void>
  /** Open sessions without traffic of their own, for which a drain need not wait. */
  passiveCount?(): number
}

/** Dependencies of the carrying side of a kind: no store, no AWS, no policy. */
export interface CarrierParts {
  readonly host: SessionHost
  readonly reach: Reach
  readonly trust: Trust
  /** Epoch milliseconds. */
  readonly now: () => number
  /** Behind the balancers that are trusted to say so. */
  originOf(request: Pick<IncomingMessage, 'headers' | 'socket'>): ClientOrigin
  onError(error: unknown, sessionId: string): void
}

/** The carrying side of a kind that speaks HTTP or websockets to its clients, ahead of the API's own parsing. */
export interface Carrier {
  /** First segment of its paths: `/k8s`. */
  readonly path: string
  /** Reads the requests of a connection that begins with one of its paths itself, and hands over those that it leaves to HTTP's own parser. */
  connection?(early: EarlyConnection): TakenConnection
  /** @param signedIn to be called once the client is known */
  http?(request: IncomingMessage, response: ServerResponse, signedIn: () => void): Promise<void>
  /** The same of a request that asks to leave HTTP. @param head what came behind it */
  upgrade?(request: IncomingMessage, socket: Duplex, head: Buffer, signedIn: () => void): Promise<void>
}

/** A kind with its two sides, neither of which imports the other. A kind on a known protocol needs no carrying side of its own. */
export interface KindModule<T = unknown, L = unknown> extends Kind<T, L> {
  start?(parts: KindParts): Promise<RunningKind>
  carry?(parts: CarrierParts): Promise<Carrier>
  /** What is found of it in AWS. One that finds several kinds belongs to one of them. Called once, at start; imports the SDK with its first reading. */
  discoveries?(parts: DiscoveryParts): Promise<readonly Discovery[]>
}

/** Kinds as they are listed: each reads targets and levels of its own type. */
export type KindModules = readonly KindModule[]
