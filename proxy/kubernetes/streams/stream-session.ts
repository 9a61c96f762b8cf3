import { performance } from 'node:perf_hooks'
import { formatDuration } from '../../duration.ts'
import { printable } from '../../printable.ts'
import { Digests } from '../../recording/digests.ts'
import { EntryWriter } from '../../recording/entry-writer.ts'
import { EndNotices } from '../../relay/end-notices.ts'
import { thrownBy } from '../../relay/failure.ts'
import { onFile } from '../../relay/on-file.ts'
import {
  BrokerError,
  defaultConnectMs,
  type EndNotice,
  type SessionOutcome,
  type SessionPermit,
} from '../../session.ts'
import { endingNotice, recordingNotice } from '../../shell/words.ts'
import { unlessAborted } from '../../streams/abortable.ts'
import { toRefusal } from '../answer-refusal.ts'
import { notTaken } from '../exchange.ts'
import { ownHeaders, type UpgradeHeaders } from '../headers.ts'
import type { KubernetesParts } from '../parts.ts'
import { SessionLease } from '../session-lease.ts'
import type { KubernetesRules } from '../session-rules.ts'
import { connectTarget } from '../target-agent.ts'
import { askUpgrade, type UpgradeAnswer } from './ask-upgrade.ts'
import { ExecRecord } from './exec-record.ts'
import { ForwardRecord } from './forward-record.ts'
import { StreamRelay } from './relay.ts'
import type { StreamRecord } from './stream-record.ts'
import type { StreamWork } from './stream-work.ts'
import type { UpgradeClient } from './upgrade-client.ts'

/** One request for an upgrade. */
export interface StreamAsk {
  readonly client: UpgradeClient
  readonly method: 'GET' | 'POST'
  readonly upgrade: UpgradeHeaders
  /** Address of the client. */
  readonly address: string
}

type Switched = Extract<UpgradeAnswer, { readonly isSwitched: true }>

const notTakenStatus = 401
/** How often the recording says how much has passed, while anything does. */
const trafficMs = 10_000
/** Of what the cluster says of a refusal. */
const longestReason = 1024

/** One exec, attach or port-forward, from its permit to its end: a session of its own, also where the client asks for it in two ways. */
export class StreamSession {
  readonly #parts: KubernetesParts
  readonly #permit: SessionPermit
  readonly #work: StreamWork
  readonly #rules: KubernetesRules
  readonly #writer: EntryWriter
  readonly #record: StreamRecord
  readonly #lease: SessionLease
  #relay: StreamRelay | undefined
  #hasBegun = false
  #isOver = false
  /** Why the last attempt failed, unless the cluster refused it. */
  #error: BrokerError | undefined

  constructor(parts: KubernetesParts, permit: SessionPermit, work: StreamWork) {
    this.#parts = parts
    this.#permit = permit
    this.#work = work
    if (!permit.engine) throw new BrokerError('INTERNAL', 'there is no cluster to reach')
    this.#rules = permit.engine.rules as KubernetesRules
    this.#lease = new SessionLease((failed) => parts.host.lease(permit, failed), parts.now)
    this.#writer = new EntryWriter(permit.recorder, () => this.#relay?.flow())
    const digests = new Digests(permit.recording.digestKey)
    const recordParts = { writer: this.#writer, now: parts.now, digests }
    this.#record =
      work.verb === 'portforward'
        ? new ForwardRecord(recordParts, work)
        : new ExecRecord(recordParts, work, this.#rules.recordsInput)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /**
   * Answers the client, and relays until it leaves or the session ends. Never rejects.
   * @returns whether it was not let in, and may ask again in another way: the session waits then, and is to be served again or given up
   */
  async serve(ask: StreamAsk): Promise<boolean> {
    this.#permit.signal.removeEventListener('abort', this.#onCut)
    const attempt = new AbortController()
    try {
      const answer = await this.#ask(ask, attempt)
      if (answer.isSwitched) {
        await this.#end(await this.#relayed(ask, answer))
        return false
      }
      this.#record.notice(refusalOf(answer))
      ask.client.answer(answer.status, answer.headers, answer.body)
    } catch (thrown) {
      const outcome = this.#failed(ask, thrown)
      if (outcome) {
        await this.#end(outcome)
        return false
      }
    } finally {
      attempt.abort()
    }
    if (ask.upgrade.asked.upgrade !== 'websocket') {
      this.giveUp()
      return false
    }
    this.#permit.signal.addEventListener('abort', this.#onCut)
    if (this.#permit.signal.aborted) this.#onCut()
    return true
  }

  /** The client does not ask again. */
  giveUp(): void {
    const error = this.#error
    void this.#end({ ...nothing, reason: 'open-failed', ...(error === undefined ? {} : { error }) })
  }

  /** @throws BrokerError, ClientLeft, or for a permit that was cut anything */
  async #ask({ client, method, upgrade, address }: StreamAsk, attempt: AbortController): Promise<UpgradeAnswer> {
    const { host } = this.#parts
    const permit = this.#permit
    const timeoutMs = permit.engine?.connectTimeoutMs ?? defaultConnectMs
    const late = new BrokerError('TARGET_UNREACHABLE', `no answer within ${formatDuration(timeoutMs)}`)
    const timer = setTimeout(() => attempt.abort(late), timeoutMs)
    const signal = AbortSignal.any([permit.signal, client.left, attempt.signal])
    const since = performance.now()
    try {
      signal.throwIfAborted()
      await this.#begin(signal)
      const own = { host: permit.engine?.serverName ?? '', forwardedFor: address }
      const send = async (secret: string): Promise<UpgradeAnswer> => {
        const stream = await connectTarget(this.#parts, permit, (failed) => this.#lease.get(failed), signal)
        const headers = [...ownHeaders({ ...own, authorization: `Bearer ${secret}` }), ...upgrade.passed]
        return await askUpgrade(stream, { method, path: this.#work.path, headers, asked: upgrade.asked }, signal)
      }
      const answer = await this.#signed(signal, send)
      host.doorman.phase(permit.kind, 'upstream', (performance.now() - since) / 1000)
      return answer
    } catch (thrown) {
      throw attempt.signal.aborted || client.left.aborted ? signal.reason : thrown
    } finally {
      clearTimeout(timer)
    }
  }

  /** A token may have expired on its way, or be of a role that was made anew: one more is tried. */
  async #signed(signal: AbortSignal, send: (secret: string) => Promise<UpgradeAnswer>): Promise<UpgradeAnswer> {
    const { secret } = await unlessAborted(signal, this.#lease.get())
    const answer = await send(secret)
    if (answer.isSwitched || answer.status !== notTakenStatus) return answer
    const renewed = await unlessAborted(signal, this.#lease.get({ secret }))
    if (renewed.secret === secret) throw notTaken()
    const again = await send(renewed.secret)
    if (!again.isSwitched && again.status === notTakenStatus) throw notTaken()
    return again
  }

  /** What is asked for is on file before the cluster hears of it. */
  async #begin(signal: AbortSignal): Promise<void> {
    const { recorder } = this.#permit
    if (this.#hasBegun) return
    this.#hasBegun = true
    this.#record.begin(this.#detail)
    await onFile({ recorder, signal })
  }

  get #detail(): Readonly<Record<string, string>> {
    const { verb, namespace, pod } = this.#work
    const container = this.#work.verb === 'portforward' ? '' : this.#work.options.container
    return { ...this.#rules.detail, stream: verb, namespace, pod, ...(container === '' ? {} : { container }) }
  }

  async #relayed({ client, upgrade }: StreamAsk, { protocol, stream, ahead }: Switched): Promise<SessionOutcome> {
    const { host, now } = this.#parts
    const permit = this.#permit
    const { hasScreen } = this.#record
    const notices = new EndNotices({
      permit,
      now,
      watchEnd: (onMoved) => host.watchEnd(permit, onMoved),
      onDue: () => this.#sayEnding(notices),
    })
    // What cannot be recorded any more cuts the session by itself.
    const timer = setInterval(() => void thrownBy(() => this.#record.traffic()), trafficMs)
    try {
      await host.started(permit, this.#detail)
      client.left.throwIfAborted()
      const tap = this.#record.follow(upgrade.asked.upgrade, protocol)
      client.switch(upgrade.asked, protocol)
      this.#relay = new StreamRelay({
        client: client.stream,
        server: stream,
        ahead: { up: client.head, down: ahead },
        tap,
        permit,
        writer: this.#writer,
        counts: host.reports.of(permit.kind),
        idleTimeoutMs: this.#rules.idleTimeoutMs,
        now,
        notice: (text) => this.#record.notice(text),
        ...(hasScreen ? { remark: (text: string) => this.#record.remark(text) } : {}),
      })
      const outcome = this.#relay.run()
      this.#announce()
      notices.start()
      return await outcome
    } catch (thrown) {
      stream.destroy()
      throw thrown
    } finally {
      notices.stop()
      clearInterval(timer)
    }
  }

  /** On a terminal the person is told what is recorded; a program without one is disturbed only where its input is. */
  #announce(): void {
    const work = this.#work
    if (work.verb === 'portforward') return
    const { tty, stdin } = work.options
    const recordsInput = this.#rules.recordsInput && stdin
    if (tty || recordsInput) this.#tell(recordingNotice(recordsInput))
    this.#parts.host.onTold(this.#permit, (text) => {
      const isTold = this.#tell(text)
      if (isTold) this.#record.watched()
      return isTold
    })
  }

  #sayEnding(notices: EndNotices): void {
    const ending = notices.take()
    if (ending && this.#work.verb !== 'portforward' && this.#work.options.tty) this.#tell(endingNotice(ending))
  }

  /** Shown to the person, and recorded. */
  #tell(text: string): boolean {
    const isTold = this.#relay?.tell(text) ?? false
    return isTold && thrownBy(() => this.#record.notice(text)) === undefined
  }

  /** @returns undefined: the client may ask again */
  #failed({ client }: StreamAsk, thrown: unknown): SessionOutcome | undefined {
    const { signal } = this.#permit
    if (signal.aborted) {
      const outcome = this.#cut()
      client.refuse(new BrokerError('GRANT_DENIED', (signal.reason as EndNotice).text))
      return outcome
    }
    if (client.left.aborted) return { ...nothing, reason: 'client-closed' }
    const error = toRefusal(thrown)
    this.#error = error
    client.refuse(error)
    const failure = thrownBy(() => this.#record.notice(error.message))
    return failure && { ...nothing, reason: 'recording-failed', error: failure }
  }

  readonly #onCut = (): void => void this.#end(this.#cut())

  #cut(): SessionOutcome {
    const { reason, text } = this.#permit.signal.reason as EndNotice
    thrownBy(() => this.#record.notice(text)) // also where it is cut because it cannot be recorded
    return { ...nothing, reason, stoppedAt: this.#parts.now() }
  }

  async #end(outcome: SessionOutcome): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    this.#permit.signal.removeEventListener('abort', this.#onCut)
    const failure = thrownBy(() => this.#record.end())
    const error = outcome.error ?? failure
    await this.#parts.host.end(this.#permit, { ...outcome, ...(error === undefined ? {} : { error }) })
  }
}

const nothing = { bytesUp: 0, bytesDown: 0 } as const

/** For the recording. */
function refusalOf({ status, body }: Exclude<UpgradeAnswer, Switched>): string {
  const text = printable(body.toString().slice(0, longestReason))
  return `the cluster answered ${status}${text === '' ? '' : `: ${text}`}`
}
