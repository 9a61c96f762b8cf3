import { type ChildProcess, spawn } from 'node:child_process'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { CancelAsk, LostWork, SessionControls, StopAsk, StopResult } from '../../../proxy/doorman.ts'
import type { BrokerError, EndNotice } from '../../../proxy/session.ts'
import type { Recordings } from '../../recordings/recordings.ts'
import type { LostSession } from '../../sessions/recover-sessions.ts'
import type { Sessions } from '../../sessions/sessions.ts'
import type { Logger } from '../../telemetry/logger.ts'
import { doormanHandlers } from './crossing.ts'
import { type Handlers, Rpc } from './rpc.ts'
import { beatMs, type FrontReport, type FrontSettings, type InheritedHttp, type InheritedPort } from './settings.ts'

export interface FrontDeps {
  readonly sessions: Pick<Sessions, 'serve' | 'closeSessionsOfFront' | 'isDraining'>
  readonly recordings: Pick<Recordings, 'spend'>
  readonly logger: Logger
  /** Without `fd`: their numbers follow from {@link fds}. */
  readonly ports: readonly Omit<InheritedPort, 'fd'>[]
  readonly http: Omit<InheritedHttp, 'fd'>
  /** Of the sockets of {@link ports}, in this process; then that of {@link http}. */
  readonly fds: readonly number[]
  readonly settings: Omit<FrontSettings, 'place' | 'ports' | 'http' | 'isDraining'>
  /** Its sessions are closed in the books. */
  onLost(lost: readonly LostSession[]): void
  onReport(front: number, report: FrontReport): void
  /** A principal has recorded more than may be. */
  onRecordedTooMuch(principalId: string, why: BrokerError): void
}

/** A cut that is not acknowledged by then has its front killed. */
const ackMs = 750
/** A front reports each second; after so many without a report it is killed. */
const mostSilentBeats = 10
/** How long it may take to be ready. */
const readyMs = 60_000
const closeMs = 3000
/** Deaths within a minute after which it is started again at once; then each takes twice as long. */
const soonDeaths = 2
const minuteMs = 60_000
const backOff = { first: 1000, most: 30_000 } as const
/** Descriptors before those of the ports: stdin, stdout, stderr, and the calls. */
const firstPortFd = 4

/**
 * One process of the carrying side, started again when it dies. Control holds its ports, so that none of those who wait there is lost
 * meanwhile.
 */
export class Front {
  readonly #deps: FrontDeps
  readonly #deaths: number[] = []
  #number: number | undefined
  #child: RunningFront | undefined
  #restart: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(deps: FrontDeps) {
    this.#deps = deps
  }

  get isReady(): boolean {
    return this.#child?.isReady ?? false
  }

  /** @throws Error when it does not get ready */
  async start(): Promise<void> {
    const child = new RunningFront(this.#deps, this.#number)
    this.#number = child.number
    this.#child = child
    void child.over.then(() => this.#died(child))
    await child.begin()
  }

  /** Ends it; its sessions have been ended. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#restart)
    await this.#child?.close()
  }

  #died(child: RunningFront): void {
    if (this.#child === child) this.#child = undefined
    if (this.#isClosed) return
    const now = performance.now()
    this.#deaths.push(now)
    while ((this.#deaths[0] ?? now) < now - minuteMs) this.#deaths.shift()
    const late = this.#deaths.length - soonDeaths
    const waitMs = late <= 0 ? 0 : Math.min(backOff.most, backOff.first * 2 ** (late - 1))
    this.#restart = setTimeout(() => {
      this.start().catch((error: unknown) =>
        this.#deps.logger.error({ err: error, front: child.number }, 'a front could not be started'),
      )
    }, waitMs)
  }
}

/** A front from its start to its death. */
class RunningFront implements SessionControls {
  readonly number: number
  /** Resolves when the process has ended and its sessions are closed. */
  readonly over: Promise<void>
  readonly #deps: FrontDeps
  readonly #process: ChildProcess
  readonly #rpc: Rpc
  readonly #beat: NodeJS.Timeout
  readonly #place
  #silentBeats = 0
  #isReady = false
  #isClosing = false

  constructor(deps: FrontDeps, number: number | undefined) {
    this.#deps = deps
    const doorman = deps.sessions.serve(this, undefined, number)
    this.#place = doorman.place
    this.number = doorman.place.front
    this.#process = startProcess(deps.fds)
    const stream = this.#process.stdio[firstPortFd - 1] as Duplex
    this.#rpc = new Rpc({
      stream,
      handlers: { ...doormanHandlers(doorman), ...this.#ownHandlers(doorman) },
      onOver: (error) => this.#lostCalls(error),
    })
    this.#beat = setInterval(() => this.#onBeat(), beatMs)
    this.over = this.#whenOver()
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  get isReady(): boolean {
    return this.#isReady && !this.#rpc.isOver
  }

  async begin(): Promise<void> {
    const { http, ports, sessions, settings } = this.#deps
    const inherited = ports.map((port, at) => ({ ...port, fd: firstPortFd + at }))
    const told: FrontSettings = {
      ...settings,
      place: this.#place,
      ports: inherited,
      http: { ...http, fd: firstPortFd + ports.length },
      isDraining: sessions.isDraining,
    }
    const late = setTimeout(() => this.#kill('it did not get ready'), readyMs)
    try {
      await this.#rpc.call('begin', told)
      this.#isReady = true
    } catch (error) {
      this.#kill('it did not start')
      throw error
    } finally {
      clearTimeout(late)
    }
  }

  async close(): Promise<void> {
    this.#isClosing = true
    const late = setTimeout(() => this.#kill('it did not end'), closeMs)
    await this.#rpc.call('close').catch(() => undefined) // it ends with the answer
    await this.over
    clearTimeout(late)
  }

  cut(sessionId: string, notice: EndNotice): void {
    const late = setTimeout(() => this.#kill('it did not acknowledge a cut'), ackMs)
    this.#rpc
      .call('cut', sessionId, notice)
      .catch(() => this.#kill('it did not take a cut'))
      .finally(() => clearTimeout(late))
  }

  runsUntil(sessionId: string, endsAt: number): void {
    this.#rpc.push('runsUntil', sessionId, endsAt)
  }

  async tell(sessionId: string, text: string): Promise<boolean> {
    return (await this.#ask<boolean>('tell', sessionId, text)) ?? false
  }

  drain(): void {
    this.#rpc.push('drain')
  }

  async cancel(ask: CancelAsk): Promise<boolean> {
    return (await this.#ask<boolean>('cancel', ask)) ?? false
  }

  async stop(ask: StopAsk): Promise<StopResult> {
    return (await this.#ask<StopResult>('stop', ask)) ?? 'unknown'
  }

  async endLost(lost: LostWork): Promise<boolean> {
    return (await this.#ask<boolean>('endLost', lost)) ?? false
  }

  /** @returns undefined from one that is dead */
  async #ask<T>(name: string, ...values: readonly unknown[]): Promise<T | undefined> {
    try {
      return (await this.#rpc.call(name, ...values)) as T
    } catch (error) {
      if (this.#rpc.isOver) return undefined
      throw error
    }
  }

  #ownHandlers(doorman: ReturnType<Sessions['serve']>): Handlers {
    const { onRecordedTooMuch, onReport, recordings } = this.#deps
    return {
      open: async (...[ask]: Parameters<typeof doorman.open>) => {
        const facts = await doorman.open(ask)
        if (this.#rpc.isOver) await this.#closeSessions()
        return facts
      },
      front: (report: FrontReport) => {
        this.#silentBeats = 0
        onReport(this.number, report)
        for (const [principalId, bytes] of report.recorded) {
          const why = recordings.spend(principalId, bytes)
          if (why?.code === 'LIMIT_REACHED') onRecordedTooMuch(principalId, why)
        }
      },
    }
  }

  /** Counted by this process's own clock: where both stood still, nothing was missed. */
  #onBeat(): void {
    this.#rpc.push('beat')
    if (this.#isReady) this.#silentBeats += 1
    if (this.#silentBeats > mostSilentBeats) this.#kill('it stood still')
  }

  #lostCalls(error: Error | undefined): void {
    if (error) this.#deps.logger.error({ err: error, front: this.number }, 'the calls of a front have failed')
    this.#kill(null)
  }

  /** @param why null: it is gone, or about to be */
  #kill(why: string | null): void {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    if (why !== null) this.#deps.logger.error({ front: this.number, pid: this.pid, why }, 'a front was killed')
    this.#process.kill('SIGKILL')
  }

  async #whenOver(): Promise<void> {
    const { logger } = this.#deps
    const exit = await new Promise<string>((resolve) => {
      this.#process.once('error', (error) => resolve(error.message))
      this.#process.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
    })
    clearInterval(this.#beat)
    this.#rpc.close()
    const count = await this.#closeSessions()
    if (!this.#isClosing || count > 0) logger.error({ front: this.number, exit, sessions: count }, 'a front has died')
  }

  async #closeSessions(): Promise<number> {
    const { logger, onLost, sessions } = this.#deps
    try {
      const lost = await sessions.closeSessionsOfFront(this)
      if (lost.length > 0) onLost(lost)
      return lost.length
    } catch (error) {
      logger.error({ err: error, front: this.number }, 'sessions of a front that died could not be closed')
      return 0
    }
  }
}

/** What a front takes over of the environment: nothing that is a secret of the daemon. */
const inheritedNames =
  /^(PATH|HOME|TZ|LANG|LC_\w+|TMPDIR|NODE_\w+|UV_\w+|SSL_CERT_\w+|LD_PRELOAD|(DONT_)?FAKETIME\w*|(https?|no)_proxy)$/i

function startProcess(fds: readonly number[]): ChildProcess {
  // The extension of this very file: .ts in the repository, .js once built.
  const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'))
  const program = fileURLToPath(new URL(`./front-main${extension}`, import.meta.url))
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => inheritedNames.test(name)))
  return spawn(process.execPath, [...process.execArgv, program], {
    env,
    stdio: ['ignore', 'inherit', 'inherit', 'pipe', ...fds],
  })
}
