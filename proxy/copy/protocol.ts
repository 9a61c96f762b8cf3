import { performance } from 'node:perf_hooks'
import type { WebSocket } from 'ws'
import { EntryWriter } from '../recording/entry-writer.ts'
import { EndNotices } from '../relay/end-notices.ts'
import { thrownBy, toFailure } from '../relay/failure.ts'
import { IdleTimer, shorterLimit } from '../relay/idle-timer.ts'
import { onFileIfStrict } from '../relay/on-file.ts'
import { admit } from '../relay/open-permit.ts'
import type { KnownClient, ProtocolParts, StreamProtocol } from '../relay/protocol.ts'
import { toBrokerError } from '../relay/words.ts'
import {
  type BrokerError,
  type ChannelKeyAsk,
  type EndNotice,
  type EndReason,
  isCut,
  type SessionOutcome,
  type SessionPermit,
} from '../session.ts'
import { leave } from '../shell/leave.ts'
import { endingNotice, errorText } from '../shell/words.ts'
import type { CopyAsk } from '../wire/copy/messages.ts'
import { CopyClient } from './client.ts'
import { download } from './download.ts'
import { CopyEntries } from './entries.ts'
import { Remote } from './remote.ts'
import type { CopyRules } from './rules.ts'
import { Stop } from './stop.ts'
import { Transfer } from './transfer.ts'
import { upload } from './upload.ts'

const protocol = 'copy'

/** Files to and from instances, over Session Manager. They have no port: their clients come by websocket. */
export function createCopy(parts: ProtocolParts): StreamProtocol {
  return { name: protocol, serveSocket: (socket, known) => serveSocket(parts, socket, known) }
}

async function serveSocket(
  parts: ProtocolParts,
  socket: WebSocket,
  known: KnownClient,
): Promise<EndReason | undefined> {
  const client = new CopyClient(socket)
  let ask: CopyAsk
  try {
    ask = await client.ask()
  } catch (error) {
    if (!client.left.aborted) client.refuse(toBrokerError(error))
    return undefined
  }
  const permit = await admit(parts, protocol, known, (error) => client.refuse(error))
  if (!permit) return undefined
  const session = new CopySession(parts, client, permit, ask)
  const outcome = await session.run()
  const left = await leave(parts, permit, outcome.reason, session.terminal)
  await parts.host.end(permit, { ...outcome, ...left })
  return outcome.reason
}

/** One copy, from its permit to its end. */
class CopySession {
  readonly #parts: ProtocolParts
  readonly #client: CopyClient
  readonly #permit: SessionPermit
  readonly #ask: CopyAsk
  readonly #rules: CopyRules
  readonly #writer: EntryWriter
  readonly #entries: CopyEntries
  readonly #stopped = Promise.withResolvers<never>()
  #transfer: Transfer | undefined
  #remote: Remote | undefined
  #isStarted = false

  constructor(parts: ProtocolParts, client: CopyClient, permit: SessionPermit, ask: CopyAsk) {
    this.#parts = parts
    this.#client = client
    this.#permit = permit
    this.#ask = ask
    this.#rules = permit.engine?.rules as CopyRules
    this.#writer = new EntryWriter(permit.recorder, () => this.#transfer?.drained())
    this.#entries = new CopyEntries(this.#writer, parts.now, this.#rules.copy)
    this.#stopped.promise.catch(() => {})
  }

  /** Undefined: nothing was asked of AWS. */
  get terminal() {
    return this.#remote?.terminal
  }

  /** Never rejects. The client has been told then. */
  async run(): Promise<SessionOutcome> {
    const { signal } = this.#permit
    const onCut = () => this.#stop(...noticeOf(signal))
    const onLeft = () => this.#stop('client-closed')
    signal.addEventListener('abort', onCut)
    this.#client.left.addEventListener('abort', onLeft)
    if (signal.aborted) onCut()
    else if (this.#client.left.aborted) onLeft()
    try {
      return await Promise.race([this.#stopped.promise, this.#copy()])
    } catch (thrown) {
      return this.#failed(thrown)
    } finally {
      signal.removeEventListener('abort', onCut)
      this.#client.left.removeEventListener('abort', onLeft)
    }
  }

  #stop(reason: EndReason, text?: string): void {
    this.#stopped.reject(new Stop(reason, text))
  }

  async #copy(): Promise<SessionOutcome> {
    const { host, now } = this.#parts
    const permit = this.#permit
    permit.signal.throwIfAborted()
    await this.#record()
    const since = performance.now()
    this.#remote = new Remote(this.#channel())
    await this.#remote.ready()
    host.doorman.phase(permit.kind, 'upstream', (performance.now() - since) / 1000)
    permit.signal.throwIfAborted()
    await host.started(permit, this.#rules.detail)
    this.#isStarted = true
    const transfer = new Transfer({
      client: this.#client,
      remote: this.#remote,
      ask: this.#ask,
      direction: this.#rules.copy,
      permit,
      writer: this.#writer,
      entries: this.#entries,
      counts: host.reports.of(permit.kind),
    })
    this.#transfer = transfer
    const idle = new IdleTimer(shorterLimit(permit.limits.idleTimeoutMs, this.#rules.idleTimeoutMs), {
      activeAt: () => transfer.lastActive,
      onIdle: (text) => this.#stop('idle', text),
    })
    const notices = new EndNotices({
      permit,
      now,
      watchEnd: (onMoved) => host.watchEnd(permit, onMoved),
      onDue: () => this.#sayEnding(notices),
    })
    idle.start()
    notices.start()
    transfer.budget.start((error) => this.#stop('budget-used', errorText(error)))
    try {
      const copying = this.#rules.copy === 'up' ? upload(transfer) : download(transfer)
      copying.catch(() => {}) // where it was stopped before
      await Promise.race([this.#stopped.promise, copying])
      this.#end(undefined)
      this.#client.end()
      return { reason: 'upstream-closed', ...this.#bytes }
    } finally {
      idle.stop()
      notices.stop()
      transfer.budget.stop()
    }
  }

  #channel() {
    const { doorman } = this.#parts.host
    const { sessionId } = this.#permit
    const ticket = () => doorman.channelTicket(sessionId)
    if (!this.#rules.isEncrypted) return { ticket }
    return { ticket, dataKey: (ask: ChannelKeyAsk) => doorman.channelKey(sessionId, ask), isEncrypted: true }
  }

  /** What is copied is on record before AWS is asked; where a level says `strict`, on file. */
  async #record(): Promise<void> {
    this.#entries.begin(this.#ask, this.#rules.detail)
    await onFileIfStrict(this.#permit)
  }

  #sayEnding(notices: EndNotices): void {
    const ending = notices.take()
    if (!ending) return
    const failure = thrownBy(() => this.#entries.notice(endingNotice(ending)))
    if (failure) this.#stopped.reject(failure)
    else this.#client.tell({ notice: endingNotice(ending) })
  }

  get #bytes() {
    return { bytesUp: this.#transfer?.bytesUp ?? 0, bytesDown: this.#transfer?.bytesDown ?? 0 }
  }

  /** Nothing more is forwarded. @returns why that could not be recorded */
  #end(text: string | undefined): BrokerError | undefined {
    const over = new Stop('client-closed')
    return thrownBy(() => {
      this.#remote?.forget(over)
      this.#transfer?.stop(over)
      if (text !== undefined) this.#entries.notice(text)
      if (this.#transfer) this.#entries.end({ files: this.#transfer.files, ...this.#bytes })
    })
  }

  #failed(thrown: unknown): SessionOutcome {
    const stoppedAt = this.#parts.now()
    const stop = this.#toStop(thrown)
    const error = stop ? undefined : toBrokerError(thrown)
    const failure = this.#end(stop ? stop.message || undefined : error && errorText(error))
    const reason = stop?.reason ?? this.#reasonOf(thrown)
    if (error) this.#client.refuse(error)
    if (stop && isCut(reason)) this.#client.tell({ notice: stop.message })
    if (isCut(reason)) this.#client.cut(reason)
    else this.#client.end()
    const known = error ?? failure
    return {
      reason,
      ...this.#bytes,
      ...(isCut(reason) ? { stoppedAt } : {}),
      ...(known === undefined ? {} : { error: known }),
    }
  }

  #toStop(thrown: unknown): Stop | undefined {
    if (this.#permit.signal.aborted) return new Stop(...noticeOf(this.#permit.signal))
    if (thrown instanceof Stop) return thrown
    return this.#client.left.aborted ? new Stop('client-closed') : undefined
  }

  #reasonOf(thrown: unknown): EndReason {
    return this.#isStarted ? toFailure(thrown, 'upstream-failed').reason : 'open-failed'
  }
}

function noticeOf(signal: AbortSignal): [reason: EndReason, text: string] {
  const { reason, text } = signal.reason as EndNotice
  return [reason, text]
}
