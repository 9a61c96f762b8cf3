import { performance } from 'node:perf_hooks'
import type { Reach, Wire } from '../../proxy/reach/reach.ts'
import { reachTargets } from '../../proxy/reach/reach-targets.ts'
import { SessionHost } from '../../proxy/relay/session-host.ts'
import {
  BrokerError,
  type ClientOrigin,
  type EndNotice,
  type Lease,
  type SessionOutcome,
  type SessionPermit,
} from '../../proxy/session.ts'
import type { AccessService } from '../access/access.ts'
import type { Held } from '../catalog/kind.ts'
import type { Daemons } from '../daemons/daemons.ts'
import { admit } from '../identity/admission.ts'
import type { IdentityService } from '../identity/identity.ts'
import type { Login } from '../identity/principal.ts'
import { toIdentity } from '../identity/require-login.ts'
import type { Recordings } from '../recordings/recordings.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Authorize } from './open-session.ts'
import type { Sessions } from './sessions.ts'

/** Whose sessions preflights are. It is in no directory, and holds no grant. */
export const preflightPrincipal = 'system:preflight'
/** Of the form that the trust policies of the roles ask for; no grant has it. */
const preflightGrant = { id: 'grt_preflight', requestId: 'preflight' }

/** For everything: connecting, signing in, and the statements. A caller waits for it. */
const preflightMs = 25_000
const mostAtOnce = 4
/** Their tunnels are not kept for others. */
const tunnelIdleMs = 100

/** One preflight: a recorded session of {@link preflightPrincipal} on one resource, as one of its levels. */
export interface Preflight {
  readonly held: Held
  readonly level: string
  /** Its way to the target. */
  readonly permit: SessionPermit
  /** Aborted when the session is cut, and when the time for it is over. */
  readonly signal: AbortSignal
  /** The credential that sessions of the level get. @throws BrokerError AWS_DENIED, AWS_UNAVAILABLE */
  lease(): Promise<Lease>
  /** A stream to the target. @throws BrokerError TARGET_UNREACHABLE */
  open(): Promise<Wire>
  /** Called when the target has been signed in to. */
  started(detail: Readonly<Record<string, string>>): Promise<void>
  /** Has one statement on record before `run` sends it, and what became of it. @returns its rows */
  ask<R>(sql: string, run: () => Promise<readonly R[]>): Promise<readonly R[]>
}

export interface PreflightAsk {
  readonly resourceId: string
  readonly kind: string
  readonly level: string
  /** For a level that holds `{login}`. */
  readonly loginName?: string
  /** Who asks for it. */
  readonly login: Login
  readonly client: ClientOrigin
}

export interface Preflights {
  /**
   * Opens a session, hands it to `use`, and ends it.
   * @throws BrokerError what the doorman throws; RATE_LIMITED when too many run, and what `use` throws
   */
  run<T>(ask: PreflightAsk, use: (preflight: Preflight) => Promise<T>): Promise<{ sessionId: string; result: T }>
}

export interface PreflightsDeps {
  readonly sessions: Sessions
  readonly access: Pick<AccessService, 'held'>
  readonly identity: Pick<IdentityService, 'credential'>
  readonly daemons: Pick<Daemons, 'requireClock'>
  readonly recordings: Pick<Recordings, 'resume'>
  readonly clock: Clock
  readonly logger: Logger
}

export function createPreflights(deps: PreflightsDeps): Preflights {
  const { sessions, recordings, clock, logger } = deps
  const onError = (error: unknown, session: string) =>
    logger.error({ err: error, session }, 'a preflight could not be ended cleanly')
  const host = new SessionHost({
    doormanFor: (controls) => sessions.serve(controls, authorizePreflight(deps)),
    recorders: recordings,
    onError,
    now: () => clock.now(),
  })
  const reach = reachTargets({ tunnels: host.doorman, onError, idleMs: tunnelIdleMs })
  let running = 0
  return {
    run: async (ask, use) => {
      if (running >= mostAtOnce) throw new BrokerError('RATE_LIMITED', `${running} preflights are running`)
      running += 1
      try {
        return await runOne({ ...deps, host, reach }, ask, use)
      } finally {
        running -= 1
      }
    },
  }
}

async function runOne<T>(
  { sessions, reach, clock, host }: PreflightsDeps & { readonly host: SessionHost; readonly reach: Reach },
  { kind, login, ...asked }: PreflightAsk,
  use: (preflight: Preflight) => Promise<T>,
): Promise<{ sessionId: string; result: T }> {
  const { credential } = toIdentity(login)
  const identity = { principalId: preflightPrincipal, name: preflightPrincipal, credential }
  const permit = await host.open({ identity, ...asked, carrier: { kind }, tool: 'aws validate' })
  const { sessionId } = permit
  const signal = AbortSignal.any([permit.signal, AbortSignal.timeout(preflightMs)])
  let outcome: Omit<SessionOutcome, 'bytesUp' | 'bytesDown'> = { reason: 'open-failed' }
  const statements = new RecordedStatements(permit, clock)
  try {
    const result = await use({
      held: sessions.known(sessionId).held,
      level: asked.level,
      permit,
      signal,
      lease: () => host.lease(permit),
      open: () => reach.open(permit, signal),
      started: async (detail) => {
        await host.started(permit, detail)
        outcome = { reason: 'client-closed' }
      },
      ask: (sql, run) => statements.ask(sql, run),
    })
    if (permit.signal.aborted) throw new BrokerError('GRANT_DENIED', (permit.signal.reason as EndNotice).text)
    return { sessionId, result }
  } catch (error) {
    outcome = { reason: 'upstream-failed', ...(error instanceof Error ? { error } : {}) }
    throw error
  } finally {
    const { reason } = permit.signal as { reason?: EndNotice }
    if (reason) outcome = { reason: reason.reason, stoppedAt: clock.now() }
    await host.end(permit, { ...outcome, bytesUp: 0, bytesDown: 0 })
  }
}

/** Writes the entries of what is asked; nothing of what the target answers but how many rows there were. */
class RecordedStatements {
  readonly #permit: SessionPermit
  readonly #clock: Clock
  #requests = 0

  constructor(permit: SessionPermit, clock: Clock) {
    this.#permit = permit
    this.#clock = clock
  }

  async ask<R>(sql: string, run: () => Promise<readonly R[]>): Promise<readonly R[]> {
    this.#requests += 1
    const statement = { at: this.#clock.now(), type: 'query', sql, request: this.#requests }
    const since = performance.now()
    this.#write({ ...statement, begun: true })
    const end = (outcome: object) =>
      this.#write({ ...statement, ms: Math.round(performance.now() - since), ...outcome })
    try {
      const rows = await run()
      end({ rows: rows.length })
      return rows
    } catch (error) {
      const { code = '', message = '' } = error as { code?: string; message?: string }
      end({ rows: 0, error: { code, message } })
      throw error
    }
  }

  /** @throws BrokerError RECORDING_FAILED */
  #write(entry: object): void {
    this.#permit.recorder.write(JSON.stringify(entry))
  }
}

/**
 * May a preflight open now? It holds no grant: who asked must still be let in, and the rules must know resource and level.
 * @throws BrokerError TOKEN_INVALID, SCOPE_REQUIRED, ADDRESS_REFUSED, LEVEL_UNKNOWN, LOGIN_NAME_UNUSABLE, CLOCK_WRONG
 */
function authorizePreflight({ access, clock, daemons, identity }: PreflightsDeps): Authorize {
  return async ({ identity: asking, resourceId, level = '', loginName, client }) => {
    daemons.requireClock()
    const credential = await identity.credential(asking.credential)
    if (!credential) throw new BrokerError('TOKEN_INVALID')
    admit({ door: 'preflight', by: credential, from: client.address })
    const held = access.held(resourceId, level, loginName)
    if (!held) throw new BrokerError('LEVEL_UNKNOWN', `${resourceId} has no level ${level}`)
    const endsAt = clock.now() + preflightMs
    return { grant: { ...preflightGrant, level, endsAt }, held }
  }
}
