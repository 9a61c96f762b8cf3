import type { OpenAsk } from '../../proxy/doorman.ts'
import { SessionHost } from '../../proxy/relay/session-host.ts'
import type { SessionOutcome, SessionPermit } from '../../proxy/session.ts'
import type { SessionDoor } from '../identity/admission.ts'
import type { Recordings } from '../recordings/recordings.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Allowed } from './open-session.ts'
import type { KnownSession } from './session-kinds.ts'
import type { Sessions } from './sessions.ts'

export interface LocalSessionsDeps {
  readonly sessions: Sessions
  readonly recordings: Pick<Recordings, 'resume'>
  readonly clock: Clock
  readonly logger: Logger
}

type LocalAsk = Omit<OpenAsk, 'carrier'> & { readonly kind: string }

/** Sessions that the control side carries itself, and the facts of every open one. */
export interface LocalSessions {
  /** Whether it may open, or give more of what it holds; a refusal is audited. @throws BrokerError what the doorman throws */
  check(ask: LocalAsk, door: SessionDoor): Promise<Allowed>
  /** A session of a kind that carries no bytes. @throws BrokerError what the doorman throws */
  open(ask: LocalAsk): Promise<SessionPermit>
  started(permit: SessionPermit, detail: Readonly<Record<string, string>>): Promise<void>
  /** Exactly once per permit. Never rejects. */
  end(permit: SessionPermit, outcome: SessionOutcome): Promise<void>
  /** Called when the grant of a session carried here ends later or earlier than before. */
  onMoved(listener: (sessionId: string, endsAt: number) => void): void
  /** @throws BrokerError INTERNAL when the session has ended */
  known(sessionId: string): KnownSession
  /** Here or by a front. */
  isOpen(sessionId: string): boolean
}

export function createLocalSessions({ sessions, recordings, clock, logger }: LocalSessionsDeps): LocalSessions {
  const host = new SessionHost({
    doormanFor: (controls) => sessions.serve(controls),
    recorders: recordings,
    onError: (error, session) => logger.error({ err: error, session }, 'a session could not be ended cleanly'),
    now: () => clock.now(),
  })
  return {
    check: ({ kind, ...ask }, door) => sessions.check({ ...ask, carrier: { kind } }, door),
    open: ({ kind, ...ask }) => host.open({ ...ask, carrier: { kind } }),
    started: (permit, detail) => host.started(permit, detail),
    end: (permit, outcome) => host.end(permit, outcome),
    onMoved: (listener) => host.onMoved(listener),
    known: (sessionId) => sessions.known(sessionId),
    isOpen: (sessionId) => sessions.isOpen(sessionId),
  }
}
