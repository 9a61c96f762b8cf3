import type { FastifyPluginAsync } from 'fastify'
import { inventoryRoutes } from '../inventory/inventory-routes.ts'
import { type AccountRoutesDeps, accountRoutes } from '../inventory/routes.ts'
import type { PeerAnswersDeps } from '../peers/peer-answers.ts'
import { type PushRoutesDeps, pushRoutes } from '../pushed/push-routes.ts'
import { validationRoutes } from '../validations/validation-routes.ts'
import { type AccessRoutesDeps, accessRoutes } from './routes/access.ts'
import { type AuditRoutesDeps, auditRoutes } from './routes/audit.ts'
import { configRoutes } from './routes/config.ts'
import { type ConnectRoutesDeps, connectRoutes } from './routes/connect.ts'
import { type HealthDeps, healthRoutes } from './routes/health.ts'
import { identityRoutes } from './routes/identity.ts'
import type { IdentityRoutesDeps } from './routes/identity-deps.ts'
import { type LoginRoutesDeps, loginRoutes } from './routes/login.ts'
import { type ConnectOptionsDeps, connectOptionRoutes } from './routes/page/connect-options.ts'
import { type LiveRoutesDeps, liveRoutes } from './routes/page/live.ts'
import { type MeRoutesDeps, meRoutes } from './routes/page/me.ts'
import { type RequestUseDeps, requestUseRoutes } from './routes/page/request-use.ts'
import { uiRoutes } from './routes/page/ui.ts'
import { peerRoutes } from './routes/peers.ts'
import { policyRoutes } from './routes/policy.ts'
import { type RecordingRoutesDeps, recordingRoutes } from './routes/recordings.ts'
import { type ResourceRoutesDeps, resourceRoutes } from './routes/resources.ts'
import { type WatchRoutesDeps, watchRoutes } from './routes/session-watch.ts'
import { type SessionRoutesDeps, sessionRoutes } from './routes/sessions.ts'
import { type UsageRoutesDeps, usageRoutes } from './routes/usage.ts'

export interface RoutesDeps {
  readonly health: HealthDeps
  readonly login: LoginRoutesDeps
  readonly identity: IdentityRoutesDeps
  readonly me: MeRoutesDeps
  readonly access: AccessRoutesDeps & ResourceRoutesDeps & Parameters<typeof policyRoutes>[0]
  readonly requestUse: RequestUseDeps
  readonly configuration: Parameters<typeof configRoutes>[0]
  readonly sessions: SessionRoutesDeps & WatchRoutesDeps
  readonly usage: UsageRoutesDeps
  readonly connect: ConnectRoutesDeps
  readonly connectOptions: ConnectOptionsDeps
  readonly accounts: AccountRoutesDeps
  readonly inventory: Parameters<typeof inventoryRoutes>[0]
  readonly validations: Parameters<typeof validationRoutes>[0]
  readonly pushes: PushRoutesDeps
  readonly audit: AuditRoutesDeps
  readonly recordings: RecordingRoutesDeps
  readonly peers: PeerAnswersDeps
  readonly live: LiveRoutesDeps
}

/** The routes of every feature; docs/http.md is generated from what they declare. */
export function featureRoutes(deps: RoutesDeps): FastifyPluginAsync[] {
  return [
    healthRoutes(deps.health),
    loginRoutes(deps.login),
    identityRoutes(deps.identity),
    meRoutes(deps.me),
    resourceRoutes(deps.access),
    accessRoutes(deps.access),
    requestUseRoutes(deps.requestUse),
    policyRoutes(deps.access),
    configRoutes(deps.configuration),
    sessionRoutes(deps.sessions),
    watchRoutes(deps.sessions),
    usageRoutes(deps.usage),
    connectRoutes(deps.connect),
    connectOptionRoutes(deps.connectOptions),
    accountRoutes(deps.accounts),
    inventoryRoutes(deps.inventory),
    validationRoutes(deps.validations),
    pushRoutes(deps.pushes),
    auditRoutes(deps.audit),
    recordingRoutes(deps.recordings),
    peerRoutes(deps.peers),
    uiRoutes(deps.login),
    liveRoutes(deps.live),
  ]
}
