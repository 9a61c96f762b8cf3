/**
 * The contract between the data plane (`proxy/`) and the control plane (`src/`).
 *
 * An engine speaks a protocol and knows no policy. It asks a {@link Doorman} who the client is and whether the session
 * may open; it can only dial upstream with the {@link SessionPermit} that the doorman returns.
 */

/** Every error a person can meet. Codes are never reused; docs/errors.md lists exactly these. */
export const errors = {
  // who
  TOKEN_INVALID: { status: 401, text: 'the access token is invalid, expired or revoked' },
  LOGIN_REQUIRED: { status: 401, text: 'sign in first' },
  LOGIN_TOO_OLD: { status: 401, text: 'this needs a more recent sign-in' },
  LOGIN_FAILED: { status: 401, text: 'the sign-in did not complete' },
  PROVIDER_UNAVAILABLE: { status: 503, text: 'the identity provider did not answer' },
  PRINCIPAL_LOCKED: { status: 403, text: 'this identity is locked' },
  PRINCIPAL_INACTIVE: { status: 403, text: 'this identity is not active' },
  ROLE_REQUIRED: { status: 403, text: 'your role does not allow this' },
  SCOPE_REQUIRED: { status: 403, text: 'the API token does not carry the scope this needs' },
  INTERACTIVE_REQUIRED: { status: 403, text: 'this needs an interactive sign-in, not a token' },
  ORIGIN_REFUSED: { status: 403, text: 'the request came from another origin' },
  ADDRESS_REFUSED: { status: 403, text: 'the token may not be used from this address' },
  // may they
  GRANT_DENIED: { status: 403, text: 'access was not granted' },
  GRANT_EXPIRED: { status: 403, text: 'the grant has expired; request a new one' },
  GRANT_TAMPERED: { status: 403, text: 'the grant does not carry a valid signature and is refused' },
  DECISION_REFUSED: { status: 403, text: 'this decision is not yours to make' },
  STALE: { status: 409, text: 'what you saw has changed since' },
  RESOURCE_UNKNOWN: { status: 404, text: 'no such resource, or not one you may see' },
  RESOURCE_AMBIGUOUS: { status: 409, text: 'more than one resource has this name' },
  LEVEL_UNKNOWN: { status: 400, text: 'the resource has no such access level' },
  DATABASE_DENIED: { status: 403, text: 'this access level does not cover that database' },
  // the session
  SESSION_KILLED: { status: 403, text: 'the session was ended by an administrator' },
  LIMIT_REACHED: { status: 429, text: 'a limit of this access level was reached' },
  TOO_MANY_SESSIONS: { status: 429, text: 'too many sessions are open' },
  IDLE: { status: 408, text: 'the session was idle for too long' },
  DRAINING: { status: 503, text: 'the broker is shutting down; connect again' },
  PROTOCOL_ERROR: { status: 400, text: 'the client broke the protocol' },
  UNSUPPORTED: { status: 400, text: 'this is not supported through the broker' },
  TLS_REQUIRED: { status: 400, text: 'this port demands TLS' },
  HANDSHAKE_TIMEOUT: { status: 408, text: 'the client took too long to sign in' },
  // upstream
  TARGET_UNREACHABLE: { status: 502, text: 'the target did not answer' },
  TARGET_UNTRUSTED: { status: 502, text: 'the target did not prove its identity' },
  TARGET_REFUSED: { status: 502, text: 'the target refused the broker' },
  TARGET_LOST: { status: 502, text: 'the connection to the target was lost' },
  AWS_DENIED: { status: 502, text: 'AWS refused the broker' },
  AWS_UNAVAILABLE: { status: 503, text: 'AWS did not answer in time' },
  // the house
  AUDIT_UNAVAILABLE: { status: 503, text: 'the audit log cannot be written, so nothing new is allowed' },
  RECORDING_FAILED: { status: 503, text: 'the recording cannot be written, so the session cannot go on' },
  STORE_UNAVAILABLE: { status: 503, text: 'the store cannot be reached' },
  RATE_LIMITED: { status: 429, text: 'too many requests; wait and try again' },
  INVALID_INPUT: { status: 400, text: 'the request is not valid' },
  NOT_FOUND: { status: 404, text: 'not found' },
  CONFIG_INVALID: { status: 500, text: 'the configuration is not valid' },
  INTERNAL: { status: 500, text: 'something went wrong in the broker' },
} as const satisfies Record<string, { status: number; text: string }>

export type ErrorCode = keyof typeof errors

/** The one error that crosses the edges. `message` is fit for the client; `cause` is for the log only. */
export class BrokerError extends Error {
  readonly code: ErrorCode
  /** What to do about it, shown where the client's protocol has a place for a hint. */
  readonly hint: string | undefined
  constructor(code: ErrorCode, detail?: string, options: ErrorOptions & { hint?: string } = {}) {
    super(detail ? `${errors[code].text}: ${detail}` : errors[code].text, options)
    this.name = 'BrokerError'
    this.code = code
    this.hint = options.hint
  }
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
  | 'killed'
  | 'limit-reached'
  | 'idle'
  | 'drain'
  | 'protocol-error'
  | 'open-failed'
  | 'upstream-failed'
  | 'recording-failed'
  | 'store-lost'
  | 'daemon-lost'

/** `AbortSignal.reason` of a permit: why the session is cut, and what the client is told. */
export interface EndNotice {
  readonly reason: EndReason
  /** Fit for the client, e.g. `access was revoked by bob@example.com: incident 42`. */
  readonly text: string
  /** When it was decided, epoch milliseconds; `cut_seconds` is measured from here. */
  readonly decidedAt: number
}

/** Where the client's bytes come from. */
export interface ClientOrigin {
  readonly address: string
  readonly port: number
  /** `listener`: the broker's own protocol port. `websocket`: the local proxy, already signed in. `api`: a call, likewise. */
  readonly via: 'listener' | 'websocket' | 'api'
}

/** RFC 5803 keys of one connect token, in the form a SCRAM server needs. */
export interface ScramVerifier {
  readonly salt: Buffer
  readonly iterations: number
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

/** What the client showed, inside its own protocol. */
export type Claim =
  | { readonly by: 'token'; readonly token: string }
  /** The engine checked a SCRAM proof against {@link Doorman.scramVerifier} of this very token id. */
  | { readonly by: 'scram'; readonly tokenId: string }

/** Somebody known, and what the credential was bound to when it was issued (connect tokens always are). */
export interface Identity {
  readonly principalId: string
  /** Label for people: e-mail or login. */
  readonly name: string
  /** Login or token through which they came; its end ends the session. */
  readonly credential: { readonly kind: 'login' | 'connect-token' | 'api-token'; readonly id: string }
  readonly bound?: { readonly grantId: string; readonly resourceId: string; readonly level: string }
}

export interface OpenAsk {
  readonly identity: Identity
  readonly resourceId: string
  /** Omitted: the one level the principal holds a grant for; several is an error that names them. */
  readonly level?: string
  readonly client: ClientOrigin
  /** Kinds this engine can carry, e.g. `['rds-postgres']`. */
  readonly kinds: readonly string[]
  /** Names the client's tool for the audit log, e.g. `application_name`; untrusted text, at most 128 characters. */
  readonly tool?: string
}

export interface Limits {
  /** 0: none. */
  readonly idleTimeoutMs: number
}

/** Sink for what was said in a session. `write` copies and never blocks; a full recorder asks for a pause. */
export interface Recorder {
  /**
   * Appends one entry: `bytes[start, end)` is one JSON object in UTF-8 without a line break.
   * @returns false when the engine must stop reading from both sides until {@link onDrain} fires
   * @throws BrokerError RECORDING_FAILED once the recording can no longer be written
   */
  write(bytes: Uint8Array, start: number, end: number): boolean
  /** Called each time the recorder has caught up after `write` returned false. */
  onDrain(listener: () => void): void
}

/** What a permit says about its session. */
export interface PermitFields {
  readonly sessionId: string
  readonly principalId: string
  readonly principalName: string
  readonly grantId: string
  readonly requestId: string
  readonly resourceId: string
  readonly kind: string
  readonly level: string
  /** Epoch milliseconds. */
  readonly endsAt: number
  /** Aborted with an {@link EndNotice} as `reason` when the session must be cut. */
  readonly signal: AbortSignal
  readonly limits: Limits
  readonly recorder: Recorder
}

declare const permitBrand: unique symbol

/** Proof that the doorman let this session in. Made in `proxy/permit.ts`, by `src/sessions/open-session.ts` alone. */
export interface SessionPermit extends PermitFields {
  readonly [permitBrand]: true
}

export interface SessionOutcome {
  readonly reason: EndReason
  /** Bytes from the client / towards the client. */
  readonly bytesUp: number
  readonly bytesDown: number
  /** When nothing more was forwarded, epoch milliseconds; only for sessions that were cut. */
  readonly stoppedAt?: number
  /** For the log, never for the client. */
  readonly error?: Error
}

/** Implemented in `src/sessions`. Engines are given one and see nothing else of the control plane. */
export interface Doorman {
  /** SCRAM keys of a connect token; for an unknown id, stable made-up ones, so that nobody learns which exist. */
  scramVerifier(tokenId: string): Promise<ScramVerifier>
  /**
   * @throws BrokerError TOKEN_INVALID, ADDRESS_REFUSED, PRINCIPAL_LOCKED, PRINCIPAL_INACTIVE
   */
  identify(claim: Claim, client: ClientOrigin): Promise<Identity>
  /**
   * Registers the session, reads the grant again, opens the recording, audits `session.started`, and only then makes the
   * permit. A refusal is audited with its reason.
   * @throws BrokerError GRANT_DENIED, GRANT_EXPIRED, RESOURCE_UNKNOWN, RESOURCE_AMBIGUOUS, TOO_MANY_SESSIONS,
   *   AUDIT_UNAVAILABLE, RECORDING_FAILED, DRAINING …
   */
  open(ask: OpenAsk): Promise<SessionPermit>
  /** Upstream is signed in and the client may send. `detail` (database, database user …) goes to the session's row and its end event. */
  started(permit: SessionPermit, detail: Readonly<Record<string, string>>): Promise<void>
  /** Exactly once per permit, also when the upstream could not be reached: seals the recording, audits, forgets. */
  end(permit: SessionPermit, outcome: SessionOutcome): Promise<void>
  /** A person asked to cancel a running statement; audited. */
  cancelled(permit: SessionPermit, from: ClientOrigin): void
  /** Somebody who is known failed before `open` (bad bytes, the port of another resource): audited with the reason. */
  refused(ask: Omit<OpenAsk, 'kinds'>, error: BrokerError): void
  /** A stranger failed (bad bytes, bad token, timeout): counted and aggregated, never one event each. */
  strangerFailed(code: ErrorCode, client: ClientOrigin): void
  /** Seconds spent in one phase of opening, for `session_open_seconds`. */
  phase(kind: string, phase: 'identify' | 'authorize' | 'aws' | 'upstream', seconds: number): void
  /** Bytes relayed since the last call; called about once a second per engine, not per chunk. */
  relayed(kind: string, direction: 'up' | 'down', bytes: number): void
  /** Duration of one statement, for the histogram `statement_seconds`. */
  statement(kind: string, seconds: number): void
}
