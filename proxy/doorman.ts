/**
 * The calls from the carrying side (`proxy/`) to the deciding side (`src/`), and what is pushed the other way. Everything that
 * crosses is plain data, so that the two can be separate processes: ids, never live objects; errors as {@link ErrorFacts}.
 * Each call costs a round trip, so none is made per statement, frame or chunk.
 */
import type { Place } from './place.ts'
import type {
  ChannelKey,
  ChannelKeyAsk,
  ChannelTicket,
  ClientOrigin,
  EndNotice,
  EndReason,
  ErrorCode,
  ErrorFacts,
  FailedLease,
  Lease,
  PermitFacts,
  SealedRecording,
  UnfinishedWork,
} from './session.ts'
import type { CopyDirection } from './wire/copy/messages.ts'

/** RFC 5803 keys of one connect token, in the form a SCRAM server needs. */
export interface ScramKeys {
  readonly salt: Uint8Array
  readonly iterations: number
  readonly storedKey: Uint8Array
  readonly serverKey: Uint8Array
}

/** What protocols need to check one connect token without knowing it. */
export interface TokenKeys {
  readonly scram: ScramKeys
  /** SHA-256 of the token's SHA-256. */
  readonly doubleSha256: Uint8Array
}

/** What the client presented, inside its own protocol. */
export type Claim =
  | { readonly by: 'token'; readonly token: string }
  /** The engine checked a proof against {@link Doorman.tokenKeys} of this very token id. */
  | { readonly by: 'proof'; readonly tokenId: string }

/** A known principal, and what the credential was bound to when it was issued (connect tokens always are). */
export interface Identity {
  readonly principalId: string
  /** Label for people: e-mail or login. */
  readonly name: string
  /** Login or token by which they signed in; its end ends the session. */
  readonly credential: { readonly kind: 'login' | 'connect-token' | 'api-token'; readonly id: string }
  readonly bound?: { readonly grantId: string; readonly resourceId: string; readonly level: string }
  /** From then on the credential lets nobody in, epoch milliseconds; of connect tokens. */
  readonly expiresAt?: number
}

/** Where a stream at an instance leads: to a port, as the instance reaches it, to its SSH server for one key, or to its files. */
export type StreamTo =
  | { readonly host: string; readonly port: number }
  /** Of the client, for this session alone: base64 of an Ed25519 key, as authorized_keys has it. */
  | { readonly sshKey: string }
  | { readonly copy: CopyDirection }

export interface OpenAsk {
  readonly identity: Identity
  readonly resourceId: string
  /** Omitted: the one level that the principal holds a grant for; with several, an error names them. */
  readonly level?: string
  /** Of a preflight, for a level that holds `{login}`; any other session has the one of its grant. */
  readonly loginName?: string
  readonly client: ClientOrigin
  /** Of a stream; a level says where its streams may lead. */
  readonly to?: StreamTo
  /** What carries the session: the engine of a protocol, or a kind that carries its own. */
  readonly carrier: { readonly protocol: string } | { readonly kind: string }
  /** Names the client's tool for the audit log, e.g. `application_name`; untrusted text, at most 128 characters. */
  readonly tool?: string
}

/** How a session ended, for its row and the audit log. */
export interface SessionEnd {
  readonly reason: EndReason
  readonly bytesUp: number
  readonly bytesDown: number
  /** When nothing more was forwarded, and when that was decided; only for sessions that were cut. */
  readonly stoppedAt?: number
  readonly decidedAt?: number
  readonly unfinished?: UnfinishedWork
  readonly error?: ErrorFacts
  /** Null: the recording could not be sealed. */
  readonly recording: SealedRecording | null
}

/** A client with a cancel key asks to stop a running statement. */
export interface CancelAsk {
  readonly protocol: string
  /** What the protocol calls process or thread id; carries the numbers of daemon and front. */
  readonly id: number
  readonly key: Uint8Array
  readonly origin: ClientOrigin
}

/** A person asks, from one session, to stop what another one of theirs runs, or to end it. */
export interface StopAsk {
  readonly protocol: string
  /** As the client gave it: of a greeting, or the target's own of a session there. */
  readonly number: number
  readonly what: 'statement' | 'session'
  readonly principalId: string
  readonly resourceId: string
  readonly origin: ClientOrigin
}

/** `denied`: the session is another person's, or may not be stopped from there. */
export type StopResult = 'done' | 'unknown' | 'denied'

/** Of what several answered. */
export function firstStop(results: readonly StopResult[]): StopResult {
  return results.find((one) => one === 'done') ?? results.find((one) => one === 'denied') ?? 'unknown'
}

/** A client that was lost wants to go on with its session. */
export interface ResumeAsk {
  /** As {@link Doorman.resumeKey} gave it. */
  readonly key: string
  readonly identity: Identity
  readonly client: ClientOrigin
  readonly carrier: OpenAsk['carrier']
}

export interface Resumed {
  readonly sessionId: string
  /** For the next time. */
  readonly key: string
}

/** An instance that is to lead to the target of a session. */
export interface TunnelAsk {
  readonly sessionId: string
  /** Id of one of those that the session's permit names. */
  readonly instance: string
}

export interface OpenedTunnel {
  readonly tunnelId: string
  /** Opens its first websocket. */
  readonly ticket: ChannelTicket
}

/** Durations counted by the buckets of {@link statementBuckets}, the last one for all that took longer. */
export interface DurationCounts {
  readonly counts: readonly number[]
  readonly sumSeconds: number
}

/** Counts of one kind since the last report. */
export interface KindReport {
  readonly kind: string
  readonly bytesUp: number
  readonly bytesDown: number
  readonly statements: DurationCounts
}

/** Where an open recording stands, for checkpoints. */
export interface RecordingHead {
  readonly sessionId: string
  readonly head: string
  readonly entries: number
}

/** Sent once a second while sessions are open, and when the last one has ended. */
export interface Report {
  readonly kinds: readonly KindReport[]
  readonly heads: readonly RecordingHead[]
}

/** Upper bounds of the buckets of `statement_seconds`. */
export const statementBuckets: readonly number[] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5]

export type OpenPhase = 'identify' | 'authorize' | 'aws' | 'upstream'

/** Implemented in `src/sessions`. Engines see nothing else of the control plane. */
export interface Doorman {
  readonly place: Place
  /** Keys of a connect token; for an unknown id, stable made-up ones, so that callers cannot find out which ids exist. */
  tokenKeys(tokenId: string): Promise<TokenKeys>
  /** @throws BrokerError TOKEN_INVALID, ADDRESS_REFUSED, PRINCIPAL_LOCKED, PRINCIPAL_INACTIVE */
  identify(claim: Claim, client: ClientOrigin): Promise<Identity>
  /**
   * Registers the session, reads the grant again, begins the recording, audits `session.started`, and only then answers. A
   * refusal is audited with its reason. A cut may be pushed before the answer arrives.
   * @throws BrokerError GRANT_DENIED, GRANT_EXPIRED, RESOURCE_UNKNOWN, RESOURCE_AMBIGUOUS, TOO_MANY_SESSIONS,
   *   AUDIT_UNAVAILABLE, RECORDING_FAILED, DRAINING …
   */
  open(ask: OpenAsk): Promise<PermitFacts>
  /**
   * The credential for the target of a session that opens.
   * @param failed of the one before: it is made anew, unless that was done a moment ago
   * @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE, LOGIN_REQUIRED; GRANT_DENIED once the session was cut
   */
  lease(sessionId: string, failed?: FailedLease): Promise<Lease>
  /**
   * The last credential of a session that is over, for nothing but ending what still runs at its target; once per session. It is
   * there even when the grant is not any more.
   * @throws BrokerError AWS_UNAVAILABLE; INTERNAL when it was given before
   */
  leaseToEnd(sessionId: string): Promise<Lease>
  /**
   * Opens a Session Manager session through which an instance leads to the target of a session, for as long as anything uses it.
   * @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE, TARGET_UNREACHABLE …; GRANT_DENIED once the session was cut
   */
  openTunnel(ask: TunnelAsk): Promise<OpenedTunnel>
  /** What opens the next websocket of it. @returns null: it is over @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE … */
  tunnelTicket(tunnelId: string): Promise<ChannelTicket | null>
  /** Nothing uses it any more, or it was lost. What AWS does not end now, it ends once it has been idle. Never rejects for that. */
  endTunnel(tunnelId: string): Promise<void>
  /**
   * What opens the next websocket of a session at an instance: first a new Session Manager session, once its document has been
   * checked; then that same one.
   * @param command what the session runs instead of a shell, for `sh -c`; counts with the first
   * @returns null: it is over
   * @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE, TARGET_UNREACHABLE, TARGET_REFUSED …; GRANT_DENIED once the session was cut
   */
  channelTicket(sessionId: string, command?: string): Promise<ChannelTicket | null>
  /**
   * The data key of a session at an instance whose document encrypts sessions with the key of KMS that the level names.
   * @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE; TARGET_UNTRUSTED: the agent asks for another; GRANT_DENIED once it was cut
   */
  channelKey(sessionId: string, ask: ChannelKeyAsk): Promise<ChannelKey>
  /**
   * Ends the Session Manager session of one that is over; resolves also if there is none. One that cannot be ended now is tried again.
   * @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE
   */
  endChannel(sessionId: string): Promise<void>
  /**
   * A key by which the client of a session may go on with it on another connection, once; takes the place of the one before.
   * @throws BrokerError GRANT_DENIED once the session was cut
   */
  resumeKey(sessionId: string): Promise<string>
  /**
   * Checks everything again as for a new session, and that the session is this person's, by this sign-in, and carried by this front. Audited, also a
   * refusal. The key is used up then.
   * @throws BrokerError RESUME_REFUSED, SESSION_ELSEWHERE; what {@link open} throws of grant and credential
   */
  resume(ask: ResumeAsk): Promise<Resumed>
  /** Upstream is signed in and the client may send. `detail` (database, database user …) goes to the session's row and its end event. */
  started(sessionId: string, detail: Readonly<Record<string, string>>): Promise<void>
  /** Exactly once per session that opened, also when its target could not be reached: audits the end and closes the row. */
  end(sessionId: string, end: SessionEnd): Promise<void>
  /** Passes a cancel to the front that the id names. @returns whether the key was right; wrong ones are counted */
  cancel(ask: CancelAsk): Promise<boolean>
  /**
   * Passes it to the front that has the session, here or at another daemon. Nothing is counted: who asks is known, and reaches
   * their own sessions alone.
   * @throws BrokerError PEER_UNREACHABLE when nobody has it who answered, and another daemon did not
   */
  stop(ask: StopAsk): Promise<StopResult>
  /** Whether a cancel of this session, whose key was right, may come from there. A refusal is audited. */
  mayCancel(sessionId: string, from: ClientOrigin): Promise<boolean>
  /** A person asked to cancel a running statement; audited. */
  cancelled(sessionId: string, from: ClientOrigin): void
  /** A known principal failed before `open` (bad bytes, the port of another resource): audited with the reason. */
  refused(ask: Omit<OpenAsk, 'carrier'>, error: ErrorFacts): void
  /** A client failed before it was identified (bad bytes, bad token, timeout): counted and aggregated, never one event each. */
  unidentifiedClientFailed(code: ErrorCode, client: ClientOrigin): void
  /** Seconds spent in one phase of opening, for `session_open_seconds`. */
  phase(kind: string, phase: OpenPhase, seconds: number): void
  report(report: Report): void
}

/** What a session of a previous run may have left running at its target. */
export interface LostWork {
  readonly protocol: string
  readonly facts: PermitFacts
  /** What its engine reported at `started`. */
  readonly detail: Readonly<Record<string, string>>
  readonly lease: Lease
}

/** What the deciding side pushes to the carrier of a session; unknown ids are ignored. */
export interface SessionControls {
  cut(sessionId: string, notice: EndNotice): void
  /** Its grant ends later or earlier than before. @param endsAt epoch milliseconds */
  runsUntil(sessionId: string, endsAt: number): void
  /** For the person in front of a terminal. @returns false: the session has no terminal that runs */
  tell(sessionId: string, text: string): Promise<boolean>
  /** No session opens any more: those of which nothing is under way need not be waited for. */
  drain(): void
  /** @returns whether the key was right. Resolves when the target has received it */
  cancel(ask: CancelAsk): Promise<boolean>
  /** Resolves when the target has received it. */
  stop(ask: StopAsk): Promise<StopResult>
  /**
   * Ends what a lost session left running, on proof that it is that. Resolves when it is gone.
   * @returns false: this front does not carry the protocol
   * @throws BrokerError TARGET_UNREACHABLE, TARGET_REFUSED …
   */
  endLost(lost: LostWork): Promise<boolean>
}
