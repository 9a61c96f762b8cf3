/**
 * What both planes share about a session: errors, end reasons, and the permit that lets it dial. `doorman.ts` has the calls
 * between the data plane (`proxy/`) and the control plane (`src/`).
 */

/** Every error that a person can see. Codes are never reused; docs/errors.md lists exactly these. */
export const errors = {
  // identity
  TOKEN_INVALID: { status: 401, text: 'the access token is invalid, expired or revoked' },
  LOGIN_REQUIRED: { status: 401, text: 'sign in first' },
  LOGIN_TOO_OLD: { status: 401, text: 'this needs a more recent sign-in' },
  LOGIN_FAILED: { status: 401, text: 'the sign-in did not complete' },
  PROVIDER_UNAVAILABLE: { status: 503, text: 'the identity provider did not answer' },
  PRINCIPAL_LOCKED: { status: 403, text: 'this identity is locked' },
  PRINCIPAL_INACTIVE: { status: 403, text: 'this identity is not active' },
  ROLE_REQUIRED: { status: 403, text: 'your role does not allow this' },
  SCOPE_REQUIRED: { status: 403, text: 'the API token lacks the scope that this needs' },
  INTERACTIVE_REQUIRED: { status: 403, text: 'this needs an interactive sign-in, not a token' },
  ORIGIN_REFUSED: { status: 403, text: 'the request came from another origin' },
  ADDRESS_REFUSED: { status: 403, text: 'the token may not be used from this address' },
  // access
  GRANT_DENIED: { status: 403, text: 'access was not granted' },
  GRANT_EXPIRED: { status: 403, text: 'the grant has expired; request a new one' },
  GRANT_TAMPERED: { status: 403, text: 'the grant has no valid signature and was refused' },
  DECISION_REFUSED: { status: 403, text: 'you may not make this decision' },
  STALE: { status: 409, text: 'it has changed since you last saw it' },
  RESOURCE_UNKNOWN: { status: 404, text: 'there is no such resource, or you may not see it' },
  RESOURCE_AMBIGUOUS: { status: 409, text: 'more than one resource has this name' },
  LEVEL_UNKNOWN: { status: 400, text: 'the resource has no such access level' },
  LOGIN_NAME_UNUSABLE: { status: 403, text: 'there is no login name that can be used for this access level' },
  SESSION_TAG_UNUSABLE: { status: 403, text: 'a session tag of this access level cannot be set' },
  DATABASE_DENIED: { status: 403, text: 'this access level does not cover that database' },
  // the session
  SESSION_KILLED: { status: 403, text: 'the session was ended by an administrator' },
  LIMIT_REACHED: { status: 429, text: 'a limit of this access level was reached' },
  TOO_MANY_SESSIONS: { status: 429, text: 'too many sessions are open' },
  RESUME_REFUSED: { status: 403, text: 'the session cannot be resumed' },
  SESSION_ELSEWHERE: { status: 409, text: 'the session is at another daemon of this installation' },
  IDLE: { status: 408, text: 'the session was idle for too long' },
  DRAINING: { status: 503, text: 'the broker is shutting down; connect again' },
  PROTOCOL_ERROR: { status: 400, text: 'the client violated the protocol' },
  UNSUPPORTED: { status: 400, text: 'the broker does not support this' },
  TLS_REQUIRED: { status: 400, text: 'this port requires TLS' },
  HANDSHAKE_TIMEOUT: { status: 408, text: 'the client took too long to sign in' },
  // upstream
  TARGET_UNREACHABLE: { status: 502, text: 'the target did not answer' },
  TARGET_UNTRUSTED: { status: 502, text: 'the identity of the target could not be verified' },
  TARGET_REFUSED: { status: 502, text: 'the target refused the broker' },
  TARGET_LOST: { status: 502, text: 'the connection to the target was lost' },
  AWS_DENIED: { status: 502, text: 'AWS refused the broker' },
  AWS_UNAVAILABLE: { status: 503, text: 'AWS did not answer in time' },
  AWS_REGION_OFF: { status: 502, text: 'the region is not enabled' },
  // the broker
  AUDIT_UNAVAILABLE: { status: 503, text: 'the audit log cannot be written, so no new access is allowed' },
  RECORDING_FAILED: { status: 503, text: 'the recording cannot be written, so the session cannot continue' },
  RESTORE_UNCONFIRMED: {
    status: 503,
    text: 'the broker does not trust its store, so nothing opens until an operator has confirmed a restore',
  },
  CLOCK_WRONG: {
    status: 503,
    text: 'the clock of this daemon is wrong, so it allows no new access',
  },
  NOT_LEADER: { status: 503, text: 'another daemon of the installation does this now' },
  PEER_REFUSED: { status: 401, text: 'only another daemon of this installation may ask this' },
  PEER_UNREACHABLE: { status: 503, text: 'another daemon of this installation did not answer' },
  STORE_UNAVAILABLE: { status: 503, text: 'the store cannot be reached' },
  RATE_LIMITED: { status: 429, text: 'too many requests; wait and try again' },
  INVALID_INPUT: { status: 400, text: 'the request is not valid' },
  NOT_FOUND: { status: 404, text: 'not found' },
  CONFIG_INVALID: { status: 500, text: 'the configuration is not valid' },
  INTERNAL: { status: 500, text: 'the broker failed unexpectedly' },
} as const satisfies Record<string, { status: number; text: string }>

export type ErrorCode = keyof typeof errors

/** The one error that crosses the edges. `message` may be shown to the client; `cause` is for the log only. */
export class BrokerError extends Error {
  readonly code: ErrorCode
  readonly detail: string | undefined
  /** What to do about it, shown where the client's protocol has a place for a hint. */
  readonly hint: string | undefined
  constructor(code: ErrorCode, detail?: string, options: ErrorOptions & { hint?: string | undefined } = {}) {
    super(detail ? `${errors[code].text}: ${detail}` : errors[code].text, options)
    this.name = 'BrokerError'
    this.code = code
    this.detail = detail
    this.hint = options.hint
  }
}

/** A {@link BrokerError} as plain data: a structured clone of the error itself would lose its code. */
export interface ErrorFacts {
  readonly code: ErrorCode
  readonly detail?: string
  readonly hint?: string
  /** Stack of what caused it, for the log only. */
  readonly cause?: string
}

/** Anything but a BrokerError becomes INTERNAL, with itself as the cause. */
export function toErrorFacts(error: unknown): ErrorFacts {
  if (!(error instanceof BrokerError)) return { code: 'INTERNAL', cause: stackOf(error) }
  const { code, detail, hint, cause } = error
  return {
    code,
    ...(detail === undefined ? {} : { detail }),
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause: stackOf(cause) }),
  }
}

export function fromErrorFacts({ code, detail, hint, cause }: ErrorFacts): BrokerError {
  return new BrokerError(code, detail, { hint, ...(cause === undefined ? {} : { cause }) })
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

/** Why a session ended. Kept in the audit log and in metrics. */
export type EndReason =
  | 'client-closed'
  | 'upstream-closed'
  | 'grant-expired'
  | 'grant-revoked'
  | 'grant-returned'
  | 'rule-changed'
  | 'principal-locked'
  | 'principal-inactive'
  | 'login-ended'
  | 'token-revoked'
  | 'resource-gone'
  | 'resource-replaced'
  | 'killed'
  | 'limit-reached'
  | 'budget-used'
  | 'idle'
  | 'drain'
  | 'protocol-error'
  | 'open-failed'
  | 'upstream-failed'
  | 'recording-failed'
  | 'store-lost'
  | 'daemon-lost'

/** Whether the broker cut the session, rather than one of its sides ending it. */
export function isCut(reason: EndReason): boolean {
  return (
    reason !== 'client-closed' &&
    reason !== 'upstream-closed' &&
    reason !== 'open-failed' &&
    reason !== 'upstream-failed'
  )
}

/** `AbortSignal.reason` of a permit: why the session is cut, and the text for the client. */
export interface EndNotice {
  readonly reason: EndReason
  /** For the client, e.g. `access was revoked by bob@example.com: incident 42`. */
  readonly text: string
  /** When it was decided, epoch milliseconds; `cut_seconds` is measured from here. */
  readonly decidedAt: number
}

export interface Limits {
  /** 0: none. */
  readonly idleTimeoutMs: number
}

/**
 * Sink for what passes in a session. Limits hold for what is about to happen, by `reserve`; what has happened is written
 * whatever they say. `write` never blocks; a full recorder requests a pause.
 */
export interface Recorder {
  /**
   * Takes room for the entry of a request that is about to be forwarded, and asks for a flush within 80 ms.
   * @throws BrokerError LIMIT_REACHED, RECORDING_FAILED: there is none, so it must not be forwarded
   */
  reserve(bytes: number): void
  /** Gives back the room of a request whose entry is written. */
  release(bytes: number): void
  /**
   * Appends one entry.
   * @param entry one JSON object without a line break; its first member is `at`
   * @param isPlain it is printable ASCII
   * @returns false when the engine must stop reading from both sides until {@link onDrain} fires
   * @throws BrokerError RECORDING_FAILED once the recording can no longer be written
   */
  write(entry: string, isPlain?: boolean): boolean
  /** Called each time the recorder has caught up after `write` returned false. */
  onDrain(listener: () => void): void
  /** Called before each flush, to add what is still running. @param listener returns whether the next flush is needed too */
  onFlush(listener: () => boolean): void
  /** Calls back once all accepted entries are in the file; never if that fails. */
  whenWritten(done: () => void): void
}

/** Where a recording continues: its file exists and holds the header. */
export interface RecordingStart {
  /** Relative to the folder of recordings. */
  readonly file: string
  /** Bytes of the header. */
  readonly offset: number
  /** Hex SHA-256 of the header, with which the chain begins. */
  readonly head: string
  /** Key of the digests in this recording, made for this session: HMAC-SHA-256 of what is redacted or truncated. */
  readonly digestKey: Uint8Array
}

/** What a recording ends with: hex SHA-256 head of its chain, and the count of entries. */
export interface SealedRecording {
  readonly digest: string
  readonly entries: number
}

/** A paused Aurora cluster takes about 15 s to resume, and 30 s or more after a day. */
export const defaultConnectMs = 60_000
export const longestConnectMs = 300_000

/** What one session may take in all; 0: any amount. */
export interface SessionBudget {
  readonly rows: number
  /** In both directions. */
  readonly bytes: number
  readonly ms: number
}

/** EC2 instances from whose network a target is reached, over Session Manager. */
export interface ViaInstances {
  /** Sessions with the same key may share what leads there; null: only those of one grant. */
  readonly key: string | null
  /** Ids, the preferred one first. */
  readonly instances: readonly string[]
  readonly place: { readonly partition: string; readonly account: string; readonly region: string }
  /** Session document, by whose patterns AWS refuses to lead anywhere else. */
  readonly document: string
  /** ARN of the role that opens what leads there; null: the spoke role. Left out: the one for tunnels to databases. */
  readonly role?: string | null
  /** Each connection is to have a tunnel to itself, as far as there may be so many; else only beside one that is busy. */
  readonly isSpread?: boolean
}

/** How to reach the target of a session, and the rules for its engine; made by the kind. Plain data. */
export interface EngineFacts<Rules extends object = object> {
  readonly address: { readonly host: string; readonly port: number }
  /** Verified against the certificate. */
  readonly serverName: string
  /** PEM roots to trust; null: those of AWS, and public ones. */
  readonly ca: string | null
  /** A request is on file before it is forwarded; else within 100 ms. */
  readonly isRecordingStrict?: boolean
  /** For connecting, TLS and sign-in together; left out: {@link defaultConnectMs}. */
  readonly connectTimeoutMs?: number
  /** New connections that the target bears; left out: any number. */
  readonly signInsPerSecond?: number
  /** Left out: none. */
  readonly budget?: SessionBudget
  /** A pooler of the target's own, which carries no cancel and changes the connection behind a session. */
  readonly isPooled?: boolean
  /** The endpoint is for writing: a server that answers there and only reads is the wrong one. */
  readonly isWriter?: boolean
  /** Left out: it is reached over the broker's own network. */
  readonly via?: ViaInstances
  /** Read by the engine of the kind's protocol only. */
  readonly rules: Rules
}

/** A short-lived credential for the target, kept in memory only. */
export interface Lease {
  readonly user: string
  readonly secret: string
  /** Epoch milliseconds. */
  readonly expiresAt: number
  /** PEM roots to trust, of a target whose own AWS tells; else those of its {@link EngineFacts}. */
  readonly ca?: string
}

/** What of a lease its target did not take. Plain data. */
export type FailedLease = Partial<Pick<Lease, 'secret' | 'ca'>>

/** What opens one websocket of a Session Manager session. Plain data. */
export interface ChannelTicket {
  /** `StreamUrl`, verbatim. */
  readonly url: string
  /** `TokenValue`; good for one opening. */
  readonly token: string
  /** The signature of the upgrade. */
  readonly headers: Readonly<Record<string, string>>
}

/** What the agent of an instance asks to encrypt a session with. Plain data. */
export interface ChannelKeyAsk {
  readonly keyId: string
  /** Belongs into the encryption context as `aws:ssm:RandomChallenge`. */
  readonly challenge?: string
}

/** A data key of KMS, kept in memory only: 64 bytes, and the same encrypted. */
export interface ChannelKey {
  readonly plaintext: Uint8Array
  readonly ciphertext: Uint8Array
}

/** The doorman's answer for a session that may open. Plain data. */
export interface PermitFacts {
  readonly sessionId: string
  readonly principalId: string
  readonly principalName: string
  readonly grantId: string
  readonly requestId: string
  readonly resourceId: string
  readonly kind: string
  readonly level: string
  /** Epoch milliseconds, as of the opening; a grant that is extended moves it. */
  readonly endsAt: number
  readonly limits: Limits
  readonly recording: RecordingStart
  /** Null for kinds that carry no bytes. */
  readonly engine: EngineFacts | null
  /** Null: not available yet; fetched with `Doorman.lease` while connecting. */
  readonly lease: Lease | null
}

/** The facts, with what exists on the carrying side only. */
export interface PermitFields extends PermitFacts {
  /** Aborted with an {@link EndNotice} as `reason` when the session must be cut. */
  readonly signal: AbortSignal
  readonly recorder: Recorder
}

declare const permitBrand: unique symbol

/** Proof that the doorman let this session in. Made in `proxy/permit.ts`, by the session host alone. */
export interface SessionPermit extends PermitFields {
  readonly [permitBrand]: true
}

/**
 * What became of statements that were running or queued when a session was cut. `ended`: the target's process for the session is
 * gone, on proof. `closed`: cancelled, and the connection dropped; what the target had received may have run on.
 */
export type UnfinishedWork = 'ended' | 'closed'

export interface SessionOutcome {
  readonly reason: EndReason
  /** Bytes from the client / towards the client. */
  readonly bytesUp: number
  readonly bytesDown: number
  /** When nothing more was forwarded, epoch milliseconds; only for sessions that were cut. */
  readonly stoppedAt?: number
  /** Only for sessions that were cut while something ran. */
  readonly unfinished?: UnfinishedWork
  /** For the log, never for the client. */
  readonly error?: Error
}

/** Close code of a websocket whose session was cut; its reason is the {@link EndReason}. */
export const sessionCutCode = 4001

/** Where the client's bytes come from. */
export interface ClientOrigin {
  readonly address: string
  readonly port: number
  /** `listener`: the broker's own protocol port. `websocket`: the local proxy, already signed in. `api`: a call, likewise. */
  readonly via: 'listener' | 'websocket' | 'api'
}
