import { BrokerError } from '../../proxy/session.ts'
import type { Config } from '../config/config.ts'
import type { Keyring } from '../store/keyring.ts'
import { inLane } from '../store/lanes.ts'
import { type Db, transactOn } from '../store/store.ts'
import type { Clock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { AnchorSender, createAnchors, type WriteLine, writeStdoutLine } from './anchors.ts'
import type { AuditEvent, AuditLog, AuditQuery, AuditRecord, Beside } from './audit.ts'
import { type AuditStore, createAuditStore, type HeadMacs, isHeadSigned } from './audit-store.ts'
import { checkClaims, noStatements, type Statements, statementsOf } from './beside.ts'
import type { RecordingHead } from './checkpoint.ts'
import { Checkpointer } from './checkpointer.ts'
import { exportLines } from './export.ts'
import { follow } from './follow.ts'
import { GroupCommit } from './group-commit.ts'
import { findDamage } from './mark/find-damage.ts'
import type { Fork } from './mark/fork.ts'
import type { Mark } from './mark/mark.ts'
import { prepareEvent } from './prepare-event.ts'
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
  /** Moved forward by every commit. */
  readonly mark: Pick<Mark, 'id' | 'advance' | 'noteCheckpoint' | 'noteDamage'>
  /** The restore that was confirmed last. */
  readonly fork: Fork | undefined
  /** For the anchor `stdout`; default standard output. */
  readonly stdout?: WriteLine
  /** Default 5,000. */
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
  /** Verifies the events up to this one. @returns what is wrong, which the mark remembers, or undefined */
  verifyOlder(lastSeq: number): Promise<string | undefined>
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
  await store.open(deps.installation)
  const spool = await openSpool({ path: deps.spoolPath, keyring: deps.keyring, logger })
  const listeners = new Set<(record: AuditRecord) => void>()

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
    leastNumber: (deps.fork?.lostCheckpoint ?? 0) + 1,
  })

  const commits = new GroupCommit({
    commit: async (events) => {
      // In whose lane the first of them came does not matter.
      const records = await inLane('decisions', () => store.commit(events, deps.keyring))
      await deps.mark.advance(records.filter((record) => record !== null))
      return records
    },
    mostQueued: deps.mostQueued ?? 10_000,
    deadlineMs: deps.deadlineMs ?? 5000,
    onDurable: (records) => {
      checkpointer.noteEvents(records.length)
      for (const record of records) {
        metrics.auditEventsTotal.inc({ type: record.type })
        for (const listener of listeners) notify(listener, record, logger)
      }
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

  const appendNow = async (event: AuditEvent, beside: Statements = noStatements): Promise<boolean> => {
    const at = clock.now()
    const prepared = prepareEvent(event, at)
    try {
      if (commits.isFailing) throw new BrokerError('AUDIT_UNAVAILABLE') // don't make a revocation wait for a log that is down
      await commits.add({ ...prepared, beside })
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
    elapsedMs: deps.elapsedMs ?? (() => performance.now()),
  })
  const appendRemoval: AuditLog['appendRemoval'] = (event, beside) =>
    beside ? appendNow(event, statementsOf(beside)) : repeated.append(event).then(() => true)

  /** Each carries its id into the chain, so that a crash on the way can't double it. */
  const emptySpool = async (): Promise<void> => {
    const events = spool.events
    if (events.length === 0) return
    const added = events.map(({ id, at, event }) => commits.add(prepareEvent(event, at, id)))
    const results = await Promise.allSettled(added)
    await spool.remove(events.filter((_, i) => results[i]?.status === 'fulfilled'))
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

  return {
    publicKeyPem: deps.keyring.publicKeyPem,
    append,
    appendRemoval,
    spooled: () => spool.events.map(({ event }) => event),
    search: store.search,
    count: store.count,
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    start: async () => {
      await retrySpool()
      await checkpointer.make()
      checkpointer.start()
      timers = [
        setInterval(() => void retrySpool(), retrySpoolMs).unref(),
        setInterval(() => void repeated.flush(), flushMs).unref(), // never rejects
      ]
    },
    stop: async () => {
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
      if (what !== undefined) await deps.mark.noteDamage(what)
      return what
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

function toHeads(heads: ReturnType<AuditDeps['heads']>): RecordingHead[] {
  return heads
    .map(({ sessionId, head, entries }) => ({ session: sessionId, head, entries }))
    .sort((a, b) => (a.session < b.session ? -1 : 1))
}

function notify(listener: (record: AuditRecord) => void, record: AuditRecord, logger: Logger): void {
  try {
    listener(record)
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
