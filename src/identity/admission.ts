import { formatDuration } from '../../proxy/duration.ts'
import { includesAddress } from '../../proxy/ports/address-range.ts'
import { BrokerError, type ErrorCode } from '../../proxy/session.ts'
import type { Login, Role, Scope } from './principal.ts'

/**
 * The one policy of who may come in where: for every credential and every door, by its kind, scope, address and sign-in. No
 * route, engine or kind decides any of it for itself (test/architecture/admission.test.ts).
 */

/** What was shown, as it is now: read from the store. A {@link Login} is one. */
export interface Credential extends Pick<Login, 'interactive' | 'authenticatedAt' | 'acr' | 'scopes' | 'cidr'> {
  readonly via: Login['via'] | 'connect-token'
}

/** What a rule demands of the sign-in behind a credential. */
export interface StepUp {
  /** Of the rule. */
  readonly name: string
  /** Null: any age. */
  readonly loginWithinMs: number | null
  /** Empty: any. */
  readonly acr: readonly string[]
}

interface Demands {
  readonly takes: readonly Credential['via'][]
  /** What an API token must carry. */
  readonly scope?: Scope
  /** A person must have signed in, whatever the rule says. */
  readonly interactive?: true
  /** When the rule's step-up is due: `issued`: it was, when the connect token was issued. */
  readonly stepUp?: 'now' | 'issued'
}

const logins = ['web', 'cli'] as const
const callers = [...logins, 'api-token'] as const

const doors = {
  /** A token whose secret is proved, before anything else is looked at. */
  token: { takes: ['api-token', 'connect-token'] },
  /** A call of the API, before its handler; the route says what else it demands. */
  api: { takes: callers },
  /** Making a token that acts as its maker or a service account, or agreeing to one. */
  'api-token': { takes: logins, interactive: true },
  request: { takes: callers, scope: 'request', stepUp: 'now' },
  denial: { takes: logins, interactive: true },
  approval: { takes: logins, interactive: true, stepUp: 'now' },
  'connect-token': { takes: callers, scope: 'connect', stepUp: 'now' },
  /** The broker's own ports, where stock clients sign in with a connect token. */
  port: { takes: ['connect-token'], stepUp: 'issued' },
  websocket: { takes: callers, scope: 'connect', stepUp: 'now' },
  /** Each time keys of a role are handed out, not just when its session opens. */
  credentials: { takes: callers, scope: 'connect', stepUp: 'now' },
  console: { takes: logins, interactive: true, stepUp: 'now' },
  /** Stops a statement of a session that this very credential opened; the key of the protocol is its proof. */
  cancel: { takes: [...callers, 'connect-token'] },
  /** Signing in to a target without a grant, to see what a level may do there. */
  preflight: { takes: callers, scope: 'admin' },
} as const satisfies Record<string, Demands>

export type Door = keyof typeof doors

/** What a route demands besides. */
export interface RouteDemands {
  readonly access?: 'public' | 'peer' | Role
  readonly scope?: Scope
  readonly interactive?: boolean
}

/** `from`: the client's address, at doors that lead in from outside; the others stand behind `api`. */
export type Entry =
  | {
      readonly door: 'api'
      readonly by: Credential & Pick<Login, 'roles'>
      readonly from: string
      readonly route: RouteDemands
    }
  | { readonly door: 'token' | 'cancel' | 'preflight'; readonly by: Credential; readonly from: string }
  | { readonly door: 'api-token' | 'denial'; readonly by: Credential }
  | ({ readonly door: 'request' | 'approval' | 'connect-token'; readonly by: Credential } & UnderRule)
  | (SessionEntry & UnderRule)

interface UnderRule {
  /** The rule that covers what is asked for, or by which it is held. */
  readonly rule: StepUp
  /** Epoch milliseconds. */
  readonly now: number
}

export type SessionDoor = 'port' | 'websocket' | 'credentials' | 'console'

interface SessionEntry {
  readonly door: SessionDoor
  readonly by: Credential
  readonly from: string
}

export type EntryCode = Extract<
  ErrorCode,
  'TOKEN_INVALID' | 'ADDRESS_REFUSED' | 'SCOPE_REQUIRED' | 'INTERACTIVE_REQUIRED' | 'ROLE_REQUIRED' | 'LOGIN_TOO_OLD'
>

export interface Refusal {
  readonly code: EntryCode
  /** May be shown to the person who asked; undefined where the code says it all. */
  readonly reason?: string
  readonly hint?: string
  /** What failed was the context class of the sign-in, not its age. */
  readonly isAcr?: true
}

/** Null: let in. */
export function refuseEntry(entry: Entry): Refusal | null {
  const demands: Demands = doors[entry.door]
  return (
    checkAddress(entry) ??
    checkScope(entry, demands) ??
    checkKind(entry, demands) ??
    checkRole(entry) ??
    checkStepUp(entry, demands)
  )
}

/** @throws BrokerError with the code of the {@link Refusal} */
export function admit(entry: Entry): void {
  const refused = refuseEntry(entry)
  if (refused) throw new BrokerError(refused.code, refused.reason, { hint: refused.hint })
}

function checkAddress(entry: Entry): Refusal | null {
  if (!('from' in entry) || includesAddress(entry.by.cidr, entry.from)) return null
  return { code: 'ADDRESS_REFUSED', hint: 'use it from where it was created for, or create another' }
}

function checkScope(entry: Entry, demands: Demands): Refusal | null {
  const { by } = entry
  if (by.via !== 'api-token') return null
  const scope = 'route' in entry ? entry.route.scope : demands.scope
  const isNone = 'route' in entry && scope === undefined && entry.route.access !== 'public'
  if (isNone) return { code: 'SCOPE_REQUIRED', reason: 'API tokens cannot be used here', hint: 'run: sallyport login' }
  if (scope === undefined || by.scopes?.includes(scope)) return null
  return { code: 'SCOPE_REQUIRED', reason: scope, hint: `create a token that has the scope ${scope}` }
}

function checkKind(entry: Entry, demands: Demands): Refusal | null {
  const { by } = entry
  const isForPeople = demands.interactive === true || ('route' in entry && entry.route.interactive === true)
  if (isForPeople && !by.interactive) return { code: 'INTERACTIVE_REQUIRED', hint: 'run: sallyport login' }
  return demands.takes.includes(by.via) ? null : { code: 'TOKEN_INVALID' }
}

/** A route that says nothing is closed, and one of other daemons to every login. */
function checkRole(entry: Entry): Refusal | null {
  if (!('route' in entry)) return null
  const { access } = entry.route
  const isAllowed =
    access === 'public' ||
    access === 'user' ||
    (access !== undefined && access !== 'peer' && entry.by.roles.includes(access))
  return isAllowed ? null : { code: 'ROLE_REQUIRED', reason: `this needs the role ${access}` }
}

/** `login_within` and `acr` of a rule. */
function checkStepUp(entry: Entry, { stepUp }: Demands): Refusal | null {
  if (!('rule' in entry) || stepUp === undefined) return null
  const { by, rule, now } = entry
  const { name, loginWithinMs, acr } = rule
  if (loginWithinMs === null && acr.length === 0) return null
  const hint = 'run: sallyport login --fresh'
  if (!by.interactive) {
    const reason = `rule ${name} needs a recent sign-in by a person, not a token`
    return { code: 'INTERACTIVE_REQUIRED', reason, hint }
  }
  if (stepUp === 'issued') return null
  if (loginWithinMs !== null && now - by.authenticatedAt > loginWithinMs) {
    const reason = `rule ${name} needs a sign-in within the last ${formatDuration(loginWithinMs)}`
    return { code: 'LOGIN_TOO_OLD', reason, hint }
  }
  if (acr.length > 0 && !(by.acr !== null && acr.includes(by.acr))) {
    const reason = `rule ${name} needs a sign-in with ${acr.join(' or ')}; yours has ${by.acr ?? 'none'}`
    return { code: 'LOGIN_TOO_OLD', reason, hint, isAcr: true }
  }
  return null
}
