import type { TObject } from 'typebox'
import type { Schema } from './schema.ts'

export const roles = ['user', 'auditor', 'admin'] as const
export type Role = (typeof roles)[number]

/** What an API token may be used for. */
export const scopes = ['read', 'request', 'connect', 'audit', 'admin'] as const
export type Scope = (typeof scopes)[number]

/** What one route takes and gives, and who may call it. */
export interface RouteContract {
  readonly summary: string
  /** `public`: no sign-in. `peer`: another daemon. Otherwise the least role; `user` is anyone who is signed in. */
  readonly access: 'public' | 'peer' | Role
  /** What an API token must carry; a route without it can't be called with an API token. */
  readonly scope?: Scope
  /** Requires a person's sign-in: no API token. */
  readonly interactive?: true
  readonly params?: TObject
  readonly query?: TObject
  readonly body?: Schema
  /** By status. Errors are `Problem`s everywhere, except that pages show them as pages. */
  readonly answer: Readonly<Record<number, Body>>
  /** True: a page or a redirect for browsers, or a websocket; not part of the API document. */
  readonly hidden?: true
}

export type Body = Schema | Unstructured | Lines

/** What is no JSON: the handler sends it itself. */
export type Unstructured =
  | 'asciicast'
  | 'html'
  | 'css'
  | 'asset'
  | 'file'
  | 'pem'
  | 'openapi'
  | 'sealed'
  | 'redirect'
  | 'websocket'
  | 'nothing'

/** JSON lines, one document each, as they come. */
export interface Lines {
  /** Every line is one of these. */
  readonly lines: readonly Schema[]
}

/** @param schemas what a line may be */
export function lines<S extends readonly Schema[]>(...schemas: S): { readonly lines: S } {
  return { lines: schemas }
}
