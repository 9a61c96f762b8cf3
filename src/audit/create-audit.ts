import { BrokerError } from '../../proxy/session.ts'
import type { Config } from '../config/config.ts'
import type { Keyring } from '../store/keyring.ts'
import { inLane } from '../store/lanes.ts'
import { besideQueue, type Db, isShared, transactOn } from '../store/store.ts'
import { writeProblem } from '../store/write-problem.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { repeat } from '../telemetry/repeat.ts'
import { AnchorSender, createAnchors, type WriteLine, writeStdoutLine } from './anchors.ts'
import { checkClaims, noStatements, type Statements, statementsOf } from './append/beside.ts'
import { GroupCommit } from './append/group-commit.ts'
import { prepareEvent } from './append/prepare-event.ts'
import type { AuditEvent, AuditListener, AuditLog, AuditQuery, AuditRecord, Beside, Origin } from './audit.ts'
import { type AuditStore, createAuditStore } from './audit-store.ts'
import type { Place } from './chain.ts'
import type { RecordingHead } from './checkpoint.ts'
import { Checkpointer } from './checkpointer.ts'
import { exportLines } from './export.ts'
import { Feed } from './feed.ts'
import { follow } from './follow.ts'
import { type HeadMacs, isHeadSigned } from './head.ts'
import { findDamage } from './mark/find-damage.ts'
import type { Fork } from './mark/fork.ts'
import type { Mark } from './mark/mark.ts'
import { fileLines } from './read-lines.ts'
import { RepeatedEvents } from './repeated.ts'
import { openSpool } from './spool.ts'
import type { Problem } from './verify/problem.ts'
import { storeSource } from './verify/store-source.ts'
import { type AuditReport, type VerifyOptions, verifyAudit } from './verify/verify.ts'

export interface AuditDeps {
  readonly db: Db
  readonly installation: string
  readonly keyring: Pick<Keyring, 'sign' | 'signingKeyId' | 'publicKeyPem' | 'mac' | 'checkMac'>
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'auditEventsTotal' | 'auditAppendSeconds' | 'auditAnchorAgeSeconds'>
  readonly config: Config['audit']
  /** File of the reserved spool, best on another file system than the recordings. */
  readonly spoolPath: string
  /** Running heads of the open recordings. */
  heads(): readonly { sessionId: string; head: string; entries: number }[]
  /** The last event that was verified; by default where the log ends. What follows it is told once there are readers. */
  readonly known?: Place
  /** Moved forward over every event. */
  readonly mark: Pick<Mark, 'id' | 'advance' | 'noteCheckpoint' | 'noteDamage'>
  /** The restore that was confirmed last. */
  readonly fork: Fork | undefined
  /** For the anchor `stdout`; default standard output. */
  readonly stdout?: WriteLine
  /** Default 10,000. */
  readonly deadlineMs?: number
  /** Default 10,000. */
  readonly mostQueued?: number
  /** Milliseconds since any fixed moment; default `performance.now`. */
  readonly elapsedMs?: () => number
}

/** The audit log, and what the daemon and its routes do with it. */
export interface AuditService extends AuditLog {
  /** PEM that `audit verify` needs. */
  readonly publicKeyPem: string
  /** Once the owners have re-applied what is in {@link AuditLog.spooled}: empties the spool, makes a checkpoint, starts the timers. */
  start(): Promise<void>
  /** A last checkpoint. Nothing may be appended afterwards. */
  stop(): Promise<void>
  checkpoint(): Promise<void>
  /** From now on nothing is appended that gives access. */
  refuseAppends(why: BrokerError): void
  /** Called once when the log turns out not to be the one that was written, or at once when it has. The mark remembers it. */
  onDamaged(listener: (what: string) => void): void
  /** What was found damaged. */
  readonly damage: string | undefined
  /** Why nothing can be appended now, as operators are told. */
  problems(): string[]
  /** @throws BrokerError STORE_UNAVAILABLE when it is not known what other daemons have appended in the last seconds */
  requireFresh(): void
  /** How long ago it was known. */
  readonly ageMs: number
  /** Verifies the events up to this one; what is wrong is damage. */
  verifyOlder(lastSeq: number): Promise<void>
  /** Checks the store against itself, and against those anchors that are files of this machine. */
  verify(options?: Pick<VerifyOptions, 'checkRecording' | 'extraChecks'>): Promise<AuditReport>
  /** How many events match, at most `most`, whatever the cursor. */
  count(query: AuditQuery, most: number): Promise<number>
  /** The whole log as it is now, in lines that `audit verify --export` checks. */
  exportLines(): AsyncGenerator<string>
  /** Events after `seq`, then every new one, until the signal. */
  follow(afterSeq: number, signal: AbortSignal): AsyncGenerator<AuditRecord>
}

const retrySpoolMs = 1000
/** How often other daemons' events are asked for. */
const pollMs = 250
/** A store that takes a few seconds for an answer is slow, not away. */
const longestSilenceMs = 5000
/** For so long a failure to write counts while nothing waits to be written again. */
const failureCountsMs = 10_000
/** How often repeated events are looked at. */
const flushMs = 2000
const longestStopMs = 5000

/**
 * Opens the audit log. Call `append` outside of transactions: it commits on its own.
 * @throws BrokerError AUDIT_UNAVAILABLE when the log does not end where its head row says
 */
export async function createAuditLog(deps: AuditDeps): Promise<AuditService> {
  const { clock, logger, metrics } = deps
  const store = createAuditStore(deps.db)
  const opened = await store.open(deps.installation)
  const spool = await openSpool({ path: deps.spoolPath, keyring: deps.keyring, logger })
  const listeners = new Set<AuditListener>()
  const tell = (record: AuditRecord, from: Origin) => {
    for (const listener of listeners) notify(() => listener(record, from), record, logger)
  }
  const damage = createDamage(deps)
  const elapsedMs = deps.elapsedMs ?? (() => performance.now())
  const { installation, keyring, known = opened, mark } = deps
  const feed = new Feed({
    ...{ installation, keyring, known, mark, tell, elapsedMs },
    store: createAuditStore(besideQueue(deps.db)),
    onDamaged: (what) => void damage.found(what), // never rejects
  })

  const onRecovered = (anchor: string, failures: number) =>
    void appendRemoval({ type: 'checkpoint.anchored', actor: 'system', fields: { anchor, failures } }) // never rejects
  const checkpointer = new Checkpointer({
    store,
    keyring: deps.keyring,
    clock,
    logger,
    metrics,
    anchors: createAnchors(deps.config.anchors, deps.stdout ?? writeStdoutLine).map(
      (anchor) => new AnchorSender(anchor, { clock, logger, onRecovered }),
    ),
    everyMs: deps.config.checkpointEveryMs,
    everyEvents: deps.config.checkpointEvents,
    heads: () => toHeads(deps.heads()),
    mark: deps.mark,
    checkHead: (head) => feed.checkHead(head),
    leastNumber: (deps.fork?.lostCheckpoint ?? 0) + 1,
  })

  const commits = new GroupCommit({
    // In whose lane the first of them came does not matter.
    commit: (events) => inLane('decisions', () => feed.commit((watch) => store.commit(events, deps.keyring, watch))),
    mostQueued: deps.mostQueued ?? 10_000,
    deadlineMs: deps.deadlineMs ?? 10_000,
    patienceMs: 50,
    onDurable: (records) => {
      checkpointer.noteEvents(records.length)
      for (const { type } of records) metrics.auditEventsTotal.inc({ type })
    },
  })

  let refused: BrokerError | undefined
  const append = async (event: AuditEvent, beside: Beside = []): Promise<AuditRecord> => {
    if (refused) throw refused
    const stopTimer = metrics.auditAppendSeconds.startTimer()
    const record = await commits.add({ ...prepareEvent(event, clock.now()), beside: statementsOf(beside) })
    stopTimer()
    if (!record) throw new BrokerError('INTERNAL', 'a new event was treated as a duplicate')
    return record
  }

  const appendNow = async (
    event: AuditEvent,
    beside: Statements = noStatements,
    isPatient = false,
  ): Promise<boolean> => {
    const at = clock.now()
    const prepared = prepareEvent(event, at)
    try {
      if (commits.failure) throw new BrokerError('AUDIT_UNAVAILABLE') // don't make a revocation wait for a log that is down
      await commits.add({ ...prepared, beside }, isPatient)
    } catch (error) {
      if (error instanceof BrokerError && error.code === 'STALE') return false
      logger.error({ err: error, type: event.type }, 'cannot write the audit log; spooling the event')
      await spool.add(prepared.event, at)
      await writeAlone(beside)
    }
    return true
  }

  const writeAlone = async ({ claims, writes }: Statements): Promise<void> => {
    if (claims.length + writes.length === 0) return
    const write = () =>
      transactOn(deps.db)(claims, (found) => {
        checkClaims([claims], found)
        return writes
      })
    try {
      await inLane('books', write)
    } catch (error) {
      logger.error({ err: error }, 'what belongs to a spooled event could not be stored; the next start writes it')
    }
  }

  const repeated = new RepeatedEvents({
    append: appendNow,
    now: () => clock.now(),
    elapsedMs,
  })
  const appendRemoval: AuditLog['appendRemoval'] = (event, beside, isPatient) =>
    beside ? appendNow(event, statementsOf(beside), isPatient) : repeated.append(event).then(() => true)

  /** A session ends once: where this daemon was given up meanwhile, another has written its end. */
  const onceOnly = ({ type, fields: { session } }: AuditEvent) =>
    type === 'session.ended' && typeof session === 'string' ? [store.isFirst(type, session)] : []

  /** Each carries its id into the chain, so that a crash on the way can't double it. */
  const emptySpool = async (): Promise<void> => {
    const events = spool.events
    if (events.length === 0) return
    const added = events.map(({ id, at, event }) =>
      commits.add({ ...prepareEvent(event, at, id), beside: { claims: onceOnly(event), writes: [] } }),
    )
    const results = await Promise.allSettled(added)
    await spool.remove(events.filter((_, i) => isSettled(results[i])))
    const left = spool.events.length
    if (left < events.length) logger.info({ left }, 'appended spooled events to the audit log')
  }

  let emptying: Promise<void> | undefined
  const retrySpool = (): Promise<void> => {
    emptying ??= emptySpool().finally(() => {
      emptying = undefined
    })
    return emptying
  }
  let timers: readonly NodeJS.Timeout[] = []
  let stopPolling = async () => {}

  return {
    publicKeyPem: deps.keyring.publicKeyPem,
    append,
    appendRemoval,
    spooled: () => spool.events.map(({ id, event }) => ({ ...event, fields: { ...event.fields, spooled: id } })),
    search: store.search,
    count: store.count,
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    catchUp: async () => {
      if (isShared(deps.db)) await feed.catchUp()
    },
    onDamaged: damage.subscribe,
    get damage() {
      return damage.what
    },
    problems: () => {
      const { failure } = commits
      if (damage.what !== undefined) return [`the audit log is damaged: ${damage.what}`]
      const counts = failure && (spool.events.length > 0 || performance.now() - failure.at < failureCountsMs)
      if (!counts) return []
      const why = writeProblem(failure.cause)
      return [`the audit log cannot be written${why === undefined ? '' : `: ${why}`}`]
    },
    get ageMs() {
      return feed.ageMs
    },
    requireFresh: () => {
      const { ageMs } = feed
      if (isShared(deps.db) && ageMs > longestSilenceMs)
        throw new BrokerError('STORE_UNAVAILABLE', `the log was last read ${Math.round(ageMs)} ms ago`)
    },
    start: async () => {
      if (isShared(deps.db)) stopPolling = pollOften(feed, logger)
      await retrySpool()
      await checkpointer.make()
      checkpointer.start()
      timers = [
        setInterval(() => void retrySpool(), retrySpoolMs).unref(),
        setInterval(() => void repeated.flush(), flushMs).unref(), // never rejects
      ]
    },
    stop: async () => {
      await stopPolling()
      for (const timer of timers) clearInterval(timer)
      checkpointer.stop()
      await repeated.flush(true)
      await commits.settled()
      await retrySpool()
      await within(longestStopMs, checkpointer.make(), logger)
      await spool.close()
    },
    checkpoint: () => checkpointer.make(),
    refuseAppends: (why) => {
      refused = why
    },
    verifyOlder: async (lastSeq) => {
      const what = await findDamage({ store, ...deps, lastSeq })
      if (what !== undefined) await damage.found(what)
    },
    verify: ({ extraChecks = [], ...options } = {}) =>
      verifyAudit({
        ...options,
        extraChecks: [() => checkHead(store, deps.keyring), ...extraChecks],
        source: storeSource(store, deps.db),
        publicKeyPem: deps.keyring.publicKeyPem,
        anchors: deps.config.anchors.flatMap((anchor) =>
          'file' in anchor ? [{ name: anchor.file, lines: fileLines(anchor.file) }] : [],
        ),
      }),
    exportLines: () => exportLines(store),
    follow: (afterSeq, signal) => follow({ store, listeners }, afterSeq, signal),
  }
}

/** Only the broker can put events behind the last one. */
async function* checkHead(store: AuditStore, keyring: HeadMacs): AsyncIterable<Problem> {
  const head = await store.head()
  if (!isHeadSigned(head, keyring)) yield { where: 'head', at: head.seq, what: 'its MAC does not match' }
}

/** The first failure of many is logged; how long they have lasted is what {@link AuditService.requireFresh} tells. */
function pollOften(feed: Feed, logger: Logger): () => Promise<void> {
  let isFailing = false
  const poll = async () => {
    try {
      await feed.catchUp()
      isFailing = false
    } catch (error) {
      if (isFailing) return
      isFailing = true
      throw error
    }
  }
  return repeat('reading what other daemons appended', pollMs, () => inLane('decisions', poll), logger)
}

/** What is found is remembered by the mark, and told to all who ask for it, also to those who ask later. */
function createDamage({ logger, mark }: Pick<AuditDeps, 'logger' | 'mark'>) {
  const listeners: ((what: string) => void)[] = []
  let damage: string | undefined
  return {
    get what() {
      return damage
    },
    found: async (what: string) => {
      if (damage !== undefined) return
      damage = what
      for (const listener of listeners) listener(what)
      await mark.noteDamage(what).catch((error: unknown) => {
        logger.error({ err: error, what }, 'the damage of the audit log could not be noted in the mark')
      })
    },
    subscribe: (listener: (what: string) => void) => {
      listeners.push(listener)
      if (damage !== undefined) listener(damage)
    },
  }
}

function toHeads(heads: ReturnType<AuditDeps['heads']>): RecordingHead[] {
  return heads
    .map(({ sessionId, head, entries }) => ({ session: sessionId, head, entries }))
    .sort((a, b) => (a.session < b.session ? -1 : 1))
}

/** In the log, or refused there for good. */
function isSettled(result: PromiseSettledResult<unknown> | undefined): boolean {
  return result?.status === 'fulfilled' || (result?.reason instanceof BrokerError && result.reason.code === 'STALE')
}

function notify(tell: () => void, record: AuditRecord, logger: Logger): void {
  try {
    tell()
  } catch (error) {
    logger.error({ err: error, seq: record.seq }, 'a reader of the audit log failed')
  }
}

/** Stopping must end: an anchor may hang, and a store that is down has no checkpoint to take. */
async function within(ms: number, work: Promise<void>, logger: Logger): Promise<void> {
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(`no last checkpoint within ${ms} ms`)), ms).unref()
  })
  await Promise.race([work, late]).catch((error: unknown) => {
    logger.error({ err: error }, 'could not make the last checkpoint')
  })
}
