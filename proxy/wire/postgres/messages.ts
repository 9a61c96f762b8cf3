/**
 * Messages of the PostgreSQL frontend/backend protocol 3.0 to 3.2 (PostgreSQL documentation, "Message Formats").
 * Left out: GSSAPI, SSPI, Kerberos and MD5 sign-in, and replication; their messages are refused, not passed on.
 */

/** Longest startup packet, its length word included: PostgreSQL's own cap. */
export const maxStartupBytes = 10_000

/** Codes that stand where a startup packet has its protocol version. */
export const requestCode = { cancel: 80_877_102, ssl: 80_877_103, gssEnc: 80_877_104 } as const

/** Newest version of the protocol spoken here: 3.2. */
export const newestMinor = 2

/** A message without a type byte: what a client may send before anything else. */
export type InitialMessage =
  | { readonly kind: 'ssl' }
  | { readonly kind: 'gssenc' }
  | { readonly kind: 'cancel'; readonly pid: number; readonly key: Buffer }
  | StartupMessage

export interface StartupMessage {
  readonly kind: 'startup'
  readonly major: number
  readonly minor: number
  /** Everything but protocol extensions, in the order given. No name is there twice. */
  readonly parameters: ReadonlyMap<string, string>
  /** Names that begin with `_pq_.`; none is known here. */
  readonly extensions: readonly string[]
}

/** Names and texts are bytes: their encoding is the session's, and the recorder's matter. */
export type FrontendMessage =
  | { readonly kind: 'query'; readonly sql: Buffer }
  | ParseMessage
  | BindMessage
  | { readonly kind: 'describe' | 'close'; readonly what: 'statement' | 'portal'; readonly name: Buffer }
  | { readonly kind: 'execute'; readonly portal: Buffer; readonly maxRows: number }
  | { readonly kind: 'sync' | 'flush' | 'terminate' | 'copy-done' }
  | { readonly kind: 'copy-data'; readonly data: Buffer }
  | { readonly kind: 'copy-fail'; readonly reason: Buffer }
  | FunctionCallMessage

export interface ParseMessage {
  readonly kind: 'parse'
  readonly statement: Buffer
  readonly sql: Buffer
  /** Types of the parameters as far as the client names them; 0: the server infers. */
  readonly oids: readonly number[]
}

export interface BindMessage {
  readonly kind: 'bind'
  readonly portal: Buffer
  readonly statement: Buffer
  /** 0 text, 1 binary. None: all text; one: for all; else one for each value. */
  readonly formats: readonly number[]
  readonly values: readonly (Buffer | null)[]
  readonly resultFormats: readonly number[]
}

export interface FunctionCallMessage {
  readonly kind: 'function-call'
  readonly oid: number
  readonly formats: readonly number[]
  readonly values: readonly (Buffer | null)[]
  readonly resultFormat: number
}

/** What a client answers to an authentication request; the request says which. */
export interface SaslInitialResponse {
  readonly mechanism: string
  readonly data: Buffer
}

export type Authentication =
  | { readonly method: 'ok' | 'cleartext' }
  | { readonly method: 'sasl'; readonly mechanisms: readonly string[] }
  | { readonly method: 'sasl-continue' | 'sasl-final'; readonly data: Buffer }
  /** Known to the protocol, not spoken here: MD5, Kerberos, GSSAPI, SSPI. */
  | { readonly method: 'other'; readonly code: number }

export type TransactionStatus = 'I' | 'T' | 'E'

export type BackendMessage =
  | ({ readonly kind: 'authentication' } & Authentication)
  | { readonly kind: 'parameter-status'; readonly name: string; readonly value: string }
  | { readonly kind: 'backend-key-data'; readonly pid: number; readonly key: Buffer }
  | { readonly kind: 'negotiate-protocol-version'; readonly newest: number; readonly unknown: readonly string[] }
  | { readonly kind: 'ready-for-query'; readonly status: TransactionStatus }
  | { readonly kind: 'parameter-description'; readonly oids: readonly number[] }
  | { readonly kind: 'command-complete'; readonly tag: string }
  | { readonly kind: 'error' | 'notice'; readonly fields: ErrorFields }
  | { readonly kind: 'notification'; readonly pid: number; readonly channel: string; readonly payload: string }
  | {
      readonly kind: 'copy-in' | 'copy-out' | 'copy-both'
      readonly format: number
      readonly columnFormats: readonly number[]
    }
  /** No field that anything here reads. */
  | { readonly kind: 'other'; readonly type: number }

/** Fields of an ErrorResponse or NoticeResponse by their letter: S, V, C, M, D, H … No field is sure to be there. */
export type ErrorFields = Readonly<Partial<Record<string, string>>>
