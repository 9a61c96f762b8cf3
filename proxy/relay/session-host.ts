import { performance } from 'node:perf_hooks'
import type { CancelAsk, Doorman, LostWork, OpenAsk, SessionControls, StopAsk, StopResult } from '../doorman.ts'
import { makePermit } from '../permit.ts'
import {
  BrokerError,
  type EndNotice,
  type FailedLease,
  type Lease,
  type PermitFacts,
  type Recorder,
  type SealedRecording,
  type SessionOutcome,
  type SessionPermit,
  toErrorFacts,
} from '../session.ts'
import { Reports } from './reports.ts'
import { SignInPace } from './sign-in-pace.ts'

/** A recording while it is written. */
export interface SessionRecorder extends Recorder {
  /** The last batch that is in the file. */
  head(): { readonly head: string; readonly entries: number }
  /** Called once if it can no longer be written (disk, quota). */
  onFailure(listener: (error: Error) => void): void
  /** Flushes, fsyncs and closes. */
  seal(): Promise<SealedRecording>
}

export interface Recorders {
  /** Continues where the header ends. @throws BrokerError RECORDING_FAILED */
  resume(session: Pick<PermitFacts, 'sessionId' | 'principalId' | 'recording'>): Promise<SessionRecorder>
}

export interface HostParts {
  /** The doorman that pushes to these controls. */
  doormanFor(controls: SessionControls): Doorman
  readonly recorders: Recorders
  /** For the log: a session whose end could not be stored, a recording that could not be sealed. */
  onError(error: unknown, sessionId: string): void
  /** Epoch milliseconds. */
  readonly now: () => number
}

interface Hosted {
  readonly abort: AbortController
  readonly recorder: SessionRecorder
  /** Epoch milliseconds. */
  endsAt: number
  /** Of who relays it. */
  onMoved?: (endsAt: number) => void
  onTold?: (text: string) => boolean
}

/** What was pushed before the session's facts were here. */
interface Early {
  notice?: EndNotice
  endsAt?: number
}

/**
 * The sessions that this process carries. Makes permits from the doorman's answers: adds the signal that cuts them, and the
 * recorder. The doorman's pushes arrive here.
 */
export class SessionHost implements SessionControls {
  readonly doorman: Doorman
  readonly reports: Reports
  readonly pace = new SignInPace(() => performance.now())
  readonly #parts: HostParts
  readonly #hosted = new Map<string, Hosted>()
  readonly #cancels = new Map<string, (ask: CancelAsk) => Promise<boolean>>()
  readonly #stops = new Map<string, (ask: StopAsk) => Promise<StopResult>>()
  readonly #endings = new Map<string, (permit: SessionPermit, lost: LostWork) => Promise<void>>()
  readonly #onMoved = new Set<(sessionId: string, endsAt: number) => void>()
  readonly #onDrain: (() => void)[] = []
  /** Of sessions whose facts are still on their way; kept while any are. */
  readonly #early = new Map<string, Early>()
  #opening = 0

  constructor(parts: HostParts) {
    this.#parts = parts
    this.doorman = parts.doormanFor(this)
    this.reports = new Reports(this.doorman)
  }

  /** @throws BrokerError what the doorman throws; RECORDING_FAILED, after which the session has been ended */
  async open(ask: OpenAsk): Promise<SessionPermit> {
    this.#opening += 1
    try {
      return await this.#host(await this.doorman.open(ask))
    } finally {
      this.#opening -= 1
      if (this.#opening === 0) this.#early.clear()
    }
  }

  async #host(facts: PermitFacts): Promise<SessionPermit> {
    const { sessionId } = facts
    const abort = new AbortController()
    let recorder: SessionRecorder
    try {
      recorder = await this.#parts.recorders.resume(facts)
    } catch (error) {
      const end = {
        reason: 'open-failed',
        bytesUp: 0,
        bytesDown: 0,
        error: toErrorFacts(error),
        recording: { digest: facts.recording.head, entries: 0 }, // the header is all there is
      } as const
      await this.doorman.end(sessionId, end)
      throw error
    }
    const early = this.#early.get(sessionId)
    this.#hosted.set(sessionId, { abort, recorder, endsAt: early?.endsAt ?? facts.endsAt })
    this.reports.begin(sessionId, recorder)
    recorder.onFailure((error) => this.cut(sessionId, this.#brokenRecording(error)))
    if (early?.notice) this.cut(sessionId, early.notice)
    return makePermit({ ...facts, signal: abort.signal, recorder })
  }

  /** @param detail for the session's row and its end event */
  async started({ sessionId }: SessionPermit, detail: Readonly<Record<string, string>>): Promise<void> {
    await this.doorman.started(sessionId, detail)
  }

  /** Exactly once per permit: seals the recording and reports the end. Never rejects. */
  async end(permit: SessionPermit, outcome: SessionOutcome): Promise<void> {
    const { sessionId, signal } = permit
    const { onError } = this.#parts
    const hosted = this.#hosted.get(sessionId)
    try {
      const recording = (await hosted?.recorder.seal().catch((error: unknown) => onError(error, sessionId))) ?? null
      const { reason, bytesUp, bytesDown, stoppedAt, unfinished, error } = outcome
      await this.doorman.end(sessionId, {
        reason,
        bytesUp,
        bytesDown,
        recording,
        ...(stoppedAt === undefined ? {} : { stoppedAt }),
        ...(signal.aborted ? { decidedAt: (signal.reason as EndNotice).decidedAt } : {}),
        ...(unfinished === undefined ? {} : { unfinished }),
        ...(error === undefined ? {} : { error: toErrorFacts(error) }),
      })
    } catch (error) {
      onError(error, sessionId)
    } finally {
      this.#hosted.delete(sessionId)
      this.reports.end(sessionId)
    }
  }

  /** The credential for the target. @param failed of the one before */
  async lease(permit: SessionPermit, failed?: FailedLease): Promise<Lease> {
    const { lease, sessionId, kind } = permit
    if (lease && !failed && lease.expiresAt > this.#parts.now()) return lease
    const since = performance.now()
    try {
      return await this.doorman.lease(sessionId, failed)
    } finally {
      this.doorman.phase(kind, 'aws', (performance.now() - since) / 1000)
    }
  }

  /** For ending what still runs at the target, and nothing else. */
  async leaseToEnd({ sessionId }: SessionPermit): Promise<Lease> {
    return await this.doorman.leaseToEnd(sessionId)
  }

  cut(sessionId: string, notice: EndNotice): void {
    const hosted = this.#hosted.get(sessionId)
    if (hosted) hosted.abort.abort(notice)
    else if (this.#opening > 0) this.#early.set(sessionId, { ...this.#early.get(sessionId), notice })
  }

  /** For a process that loses the deciding side. @returns how many */
  cutAll(notice: EndNotice): number {
    for (const sessionId of this.#hosted.keys()) this.cut(sessionId, notice)
    return this.#hosted.size
  }

  get hostedCount(): number {
    return this.#hosted.size
  }

  runsUntil(sessionId: string, endsAt: number): void {
    const hosted = this.#hosted.get(sessionId)
    if (hosted) {
      hosted.endsAt = endsAt
      hosted.onMoved?.(endsAt)
    } else if (this.#opening > 0) this.#early.set(sessionId, { ...this.#early.get(sessionId), endsAt })
    for (const listener of this.#onMoved) listener(sessionId, endsAt)
  }

  /** Follows the end of one session, for who relays it. @returns it as it is now, epoch milliseconds */
  watchEnd({ sessionId, endsAt }: SessionPermit, onMoved: (endsAt: number) => void): number {
    const hosted = this.#hosted.get(sessionId)
    if (!hosted) return endsAt
    hosted.onMoved = onMoved
    return hosted.endsAt
  }

  async tell(sessionId: string, text: string): Promise<boolean> {
    return this.#hosted.get(sessionId)?.onTold?.(text) ?? false
  }

  /** @param listener shows it to the person; returns false when it no longer can */
  onTold({ sessionId }: SessionPermit, listener: (text: string) => boolean): void {
    const hosted = this.#hosted.get(sessionId)
    if (hosted) hosted.onTold = listener
  }

  /** Called when the end of a session moves. */
  onMoved(listener: (sessionId: string, endsAt: number) => void): void {
    this.#onMoved.add(listener)
  }

  drain(): void {
    for (const listener of this.#onDrain) listener()
  }

  /** @param listener ends sessions of which nothing is under way */
  onDrain(listener: () => void): void {
    this.#onDrain.push(listener)
  }

  async cancel(ask: CancelAsk): Promise<boolean> {
    return (await this.#cancels.get(ask.protocol)?.(ask)) ?? false
  }

  /** @param use resolves when the target has received it; false: no such key */
  onCancel(protocol: string, use: (ask: CancelAsk) => Promise<boolean>): void {
    this.#cancels.set(protocol, use)
  }

  async stop(ask: StopAsk): Promise<StopResult> {
    return (await this.#stops.get(ask.protocol)?.(ask)) ?? 'unknown'
  }

  /** @param use resolves when the target has received it */
  onStop(protocol: string, use: (ask: StopAsk) => Promise<StopResult>): void {
    this.#stops.set(protocol, use)
  }

  async endLost(lost: LostWork): Promise<boolean> {
    const end = this.#endings.get(lost.protocol)
    if (!end) return false
    await end(makePermit({ ...lost.facts, signal: new AbortController().signal, recorder: sealedRecorder }), lost)
    return true
  }

  /** @param end reaches the target by the permit, and only ends what still runs there */
  onEndLost(protocol: string, end: (permit: SessionPermit, lost: LostWork) => Promise<void>): void {
    this.#endings.set(protocol, end)
  }

  #brokenRecording(error: Error): EndNotice {
    const text =
      error instanceof BrokerError ? error.message : 'the recording cannot be written, so the session cannot continue'
    return { reason: 'recording-failed', text, decidedAt: this.#parts.now() }
  }
}

/** Of a session that is over: nothing may be relayed any more. */
const sealedRecorder: Recorder = {
  reserve: refuseEntry,
  write: refuseEntry,
  release: () => {},
  onDrain: () => {},
  onFlush: () => {},
  whenWritten: () => {},
}

function refuseEntry(): never {
  throw new BrokerError('RECORDING_FAILED', 'the session is over')
}
