/** A doorman that lets every client in and records what happens, with the recorder and the host of one carrying side. */
import type {
  Claim,
  Doorman,
  Identity,
  OpenAsk,
  ResumeAsk,
  SessionControls,
  SessionEnd,
} from '../../../proxy/doorman.ts'
import { SessionHost, type SessionRecorder } from '../../../proxy/relay/session-host.ts'
import {
  BrokerError,
  type ChannelKey,
  type ChannelKeyAsk,
  type ChannelTicket,
  type ClientOrigin,
  type EndNotice,
  type EngineFacts,
  type FailedLease,
  type Lease,
  type PermitFacts,
} from '../../../proxy/session.ts'
import { clonedControls, clonedDoorman, crossed } from './cloned-doorman.ts'
import { recorderDouble } from './recorder-double.ts'

export const sessionId = 'ses_01234567890123456789012345'
/** Of the digests in recordings. */
export const digestKey = Buffer.alloc(32, 7)
export const identity: Identity = {
  principalId: 'prn_1',
  name: 'alice@example.com',
  credential: { kind: 'login', id: 'lgn_1' },
}
export const origin: ClientOrigin = { address: '127.0.0.1', port: 1, via: 'websocket' }

/** Tests set it, so that a suite runs once more with a doorman of another process. */
export const isCloned = process.env.SALLYPORT_TEST_DOORMAN === 'cloned'

export interface ScriptedOptions {
  readonly kind: string
  readonly idleTimeoutMs?: number
  /** What the permit says of the target now. */
  engine(): EngineFacts
  lease(failed?: FailedLease): Promise<Lease>
  /** Of sessions at instances. */
  channelTicket?(sessionId: string, command?: string): Promise<ChannelTicket | null>
  channelKey?(sessionId: string, ask: ChannelKeyAsk): Promise<ChannelKey>
  endChannel?(): Promise<void>
  /** Each session has an id of its own: {@link numbered}. */
  readonly opensMany?: boolean
  /** Left out: no client may come in by a claim. */
  identify?(claim: Claim): Promise<Identity>
}

/** Id of the nth session that opens, from 1. */
export function numbered(n: number): string {
  return `ses_${String(n).padStart(26, '0')}`
}

export function scriptedDoorman(options: ScriptedOptions) {
  const seen = {
    asks: [] as OpenAsk[],
    resumes: [] as ResumeAsk[],
    ends: [] as SessionEnd[],
    /** By session. */
    endOf: {} as Record<string, SessionEnd>,
    entriesOf: {} as Record<string, Record<string, unknown>[]>,
    details: [] as Readonly<Record<string, string>>[],
    cancels: 0,
    /** Asked for a credential to end what still runs. */
    endings: 0,
    channelsEnded: 0,
    /** Entries that say who serves the session. */
    targets: [] as Record<string, unknown>[],
    unidentified: [] as string[],
    statements: 0,
    reserved: 0,
    entries: [] as Record<string, unknown>[],
    relayed: { up: 0, down: 0 },
  }
  const control = {
    refusal: undefined as BrokerError | undefined,
    noLeaseToEnd: undefined as BrokerError | undefined,
    /** The recorder says it is full until `drain` is called. */
    isFull: false,
    breaks: false,
    /** Bytes that requests may reserve. */
    room: Number.POSITIVE_INFINITY,
    /** As the recorder's timer does. */
    flush: (): boolean => false,
    /** Entries are not on file until `written` is called. */
    holds: false,
    written: () => {},
    drain: () => {},
    /** Of sessions that open. */
    leftMs: 3_600_000,
    /** A cut is pushed before the facts are answered. */
    cutEarly: undefined as EndNotice | undefined,
  }
  let controls: SessionControls | undefined
  let keys = 0
  const facts = ({ resourceId, identity }: OpenAsk): PermitFacts => ({
    sessionId: options.opensMany ? numbered(seen.asks.length) : sessionId,
    principalId: identity.principalId,
    principalName: identity.name,
    grantId: 'grt_1',
    requestId: 'req_1',
    resourceId,
    kind: options.kind,
    level: 'readonly',
    endsAt: Date.now() + control.leftMs,
    limits: { idleTimeoutMs: options.idleTimeoutMs ?? 0 },
    recording: { file: 'x', offset: 0, head: '', digestKey },
    engine: options.engine(),
    lease: null,
  })
  const doorman: Doorman = {
    place: { daemon: 3, front: 5 },
    tokenKeys: () => Promise.reject(new Error('not asked here')),
    identify: options.identify ?? (() => Promise.reject(new Error('not asked here'))),
    open: async (ask) => {
      seen.asks.push(ask)
      if (control.refusal) throw control.refusal
      if (control.cutEarly) controls?.cut(sessionId, control.cutEarly)
      return facts(ask)
    },
    lease: (_, failed) => options.lease(failed),
    leaseToEnd: async () => {
      seen.endings += 1
      if (control.noLeaseToEnd) throw control.noLeaseToEnd
      return await options.lease()
    },
    openTunnel: () => Promise.reject(new Error('not asked here')),
    tunnelTicket: () => Promise.reject(new Error('not asked here')),
    endTunnel: () => Promise.reject(new Error('not asked here')),
    channelTicket: options.channelTicket ?? (() => Promise.reject(new Error('not asked here'))),
    channelKey: options.channelKey ?? (() => Promise.reject(new Error('not asked here'))),
    endChannel: async () => {
      seen.channelsEnded += 1
      await options.endChannel?.()
    },
    resumeKey: async () => {
      keys += 1
      return `key-${keys}`
    },
    resume: async (ask) => {
      seen.resumes.push(ask)
      if (control.refusal) throw control.refusal
      if (ask.key !== `key-${keys}`) throw new BrokerError('RESUME_REFUSED')
      keys += 1
      return { sessionId, key: `key-${keys}` }
    },
    started: async (_id, detail) => {
      seen.details.push(detail)
    },
    end: async (id, end) => {
      seen.ends.push(end)
      seen.endOf[id] = end
    },
    cancel: async (ask) => {
      const isRight = (await controls?.cancel(ask)) ?? false
      if (!isRight) seen.unidentified.push('NOT_FOUND')
      return isRight
    },
    stop: async (ask) => (await controls?.stop(ask)) ?? 'unknown',
    mayCancel: async () => true,
    cancelled: () => {
      seen.cancels += 1
    },
    refused: (_ask, error) => {
      seen.unidentified.push(error.code)
    },
    unidentifiedClientFailed: (code) => {
      seen.unidentified.push(code)
    },
    phase: () => {},
    report: ({ kinds }) => {
      for (const { bytesUp, bytesDown, statements } of kinds) {
        seen.relayed.up += bytesUp
        seen.relayed.down += bytesDown
        seen.statements += statements.counts.reduce((sum, count) => sum + count, 0)
      }
    },
  }
  const recorder: SessionRecorder = {
    ...recorderDouble((text) => {
      if (control.breaks) throw new BrokerError('RECORDING_FAILED')
      const entry = JSON.parse(text)
      if (entry.type === 'target') seen.targets.push(entry)
      else seen.entries.push(entry)
      return !control.isFull
    }),
    reserve: (bytes) => {
      if (control.breaks) throw new BrokerError('RECORDING_FAILED')
      if (seen.reserved + bytes > control.room) throw new BrokerError('LIMIT_REACHED', 'the recording is full')
      seen.reserved += bytes
    },
    release: (bytes) => {
      seen.reserved -= bytes
    },
    onFlush: (listener) => {
      control.flush = listener
    },
    whenWritten: (done) => {
      if (control.holds) control.written = done
      else done()
    },
    onDrain: (listener) => {
      control.drain = listener
    },
    head: () => ({ head: '', entries: seen.entries.length }),
    onFailure: () => {},
    seal: async () => ({ digest: 'sealed', entries: seen.entries.length }),
  }
  const writeTo = (id: string, text: string): boolean => {
    const hasRoom = recorder.write(text)
    seen.entriesOf[id] = [...(seen.entriesOf[id] ?? []), JSON.parse(text)]
    return hasRoom
  }
  const errors: unknown[] = []
  const host = new SessionHost({
    doormanFor: (own) => {
      controls = isCloned ? clonedControls(own) : own
      return isCloned ? clonedDoorman(doorman) : doorman
    },
    recorders: { resume: async ({ sessionId: id }) => ({ ...recorder, write: (text) => writeTo(id, text) }) },
    onError: (error) => errors.push(error),
    now: () => Date.now(),
  })
  /** Resolves when the cut has arrived. */
  const cut = async (notice: Partial<EndNotice> = {}, id = sessionId): Promise<void> => {
    controls?.cut(id, {
      reason: 'grant-revoked',
      text: 'access was revoked by bob@example.com: incident 42',
      decidedAt: Date.now(),
      ...notice,
    })
    if (isCloned) await crossed()
  }
  /** The grant ends so much later than now. Resolves when that has arrived. */
  const move = async (leftMs: number): Promise<void> => {
    controls?.runsUntil(sessionId, Date.now() + leftMs)
    if (isCloned) await crossed()
  }
  const drain = (): void => controls?.drain()
  return { seen, control, host, errors, cut, move, drain, facts }
}
