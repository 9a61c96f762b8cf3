import { auditRoutes } from './audit.ts'
import { awsRoutes, validationRoutes } from './aws.ts'
import { connectRoutes } from './connect.ts'
import { grantRoutes } from './grants.ts'
import { healthRoutes } from './health.ts'
import { identityRoutes } from './identity.ts'
import { pushRoutes } from './identity-center/pushes.ts'
import { inventoryRoutes } from './inventory.ts'
import { loginRoutes } from './login.ts'
import { peerRoutes } from './peers.ts'
import { configRoutes, policyRoutes } from './policy.ts'
import { principalRoutes } from './principals.ts'
import { recordingRoutes } from './recordings.ts'
import { requestRoutes } from './requests.ts'
import { resourceRoutes } from './resources.ts'
import type { Lines, Unstructured } from './route-contract.ts'
import type { Schema, Shape } from './schema.ts'
import { sessionRoutes } from './sessions.ts'
import { tokenRoutes } from './tokens.ts'
import { uiRoutes } from './ui.ts'

/**
 * Every route and websocket of the daemon, by method and path. Handlers, the CLI and the documents get from here what a route
 * takes and gives and who may call it; nothing repeats it. The contract only grows: test/fixtures/contract.json
 * holds it as it was last agreed on.
 */
export const routes = {
  ...healthRoutes,
  ...loginRoutes,
  ...identityRoutes,
  ...principalRoutes,
  ...tokenRoutes,
  ...resourceRoutes,
  ...requestRoutes,
  ...grantRoutes,
  ...policyRoutes,
  ...configRoutes,
  ...sessionRoutes,
  ...recordingRoutes,
  ...connectRoutes,
  ...auditRoutes,
  ...awsRoutes,
  ...inventoryRoutes,
  ...validationRoutes,
  ...pushRoutes,
  ...peerRoutes,
  ...uiRoutes,
} as const

export type Routes = typeof routes
export type RouteKey = keyof Routes

/** What a call of this route says; undefined where the contract has nothing. */
export type Input<K extends RouteKey, Part extends 'params' | 'query' | 'body'> =
  Routes[K] extends Readonly<Record<Part, infer S extends Schema>> ? Shape<S> : undefined

/** Statuses with what comes with them. */
export type Answers<K extends RouteKey> = Routes[K]['answer']

/** Undefined for nothing; `never` for what is no JSON. */
export type JsonOf<B> = B extends 'nothing'
  ? undefined
  : B extends Unstructured | Lines
    ? never
    : B extends Schema
      ? Shape<B>
      : never

/** Routes that answer JSON, or nothing. */
export type JsonKey = {
  [K in RouteKey]: Extract<Answers<K>[keyof Answers<K>], Exclude<Unstructured, 'nothing'> | Lines> extends never
    ? K
    : never
}[RouteKey]

/** Routes that answer JSON lines. */
export type LinesKey = { [K in RouteKey]: Answers<K>[keyof Answers<K>] extends Lines ? K : never }[RouteKey]

type SuccessStatus<A> = { [S in keyof A & number]: `${S}` extends `2${string}` ? S : never }[keyof A & number]

/** What a call gives that did not fail. */
export type Answer<K extends JsonKey> = JsonOf<Answers<K>[SuccessStatus<Answers<K>>]>
