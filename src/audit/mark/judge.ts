import { createHash } from 'node:crypto'
import type { Keyring } from '../../store/keyring.ts'
import { pages } from '../../store/pages.ts'
import type { Logger } from '../../telemetry/logger.ts'
import type { AuditStore } from '../audit-store.ts'
import { canonicalJson } from '../canonical.ts'
import { type ChainRow, createChainCheck, eventHash, genesis, type Place } from '../chain.ts'
import { type Checkpoint, openCheckpoint, readPublicKey } from '../checkpoint.ts'
import { type Head, isHeadSigned } from '../head.ts'
import { storedEvents } from '../stored-pages.ts'
import { type Fork, readFork } from './fork.ts'
import type { MarkStart } from './mark.ts'
import { type MarkReading, type MarkState, readMark } from './mark-file.ts'
import { type Anchored, newestAnchor } from './newest-anchor.ts'
import {
  memberOf,
  type Removal,
  type RemovalWindows,
  type Since,
  StandingRemovals,
  sinceOf,
} from './standing-removals.ts'

export interface JudgeDeps {
  readonly store: AuditStore
  readonly keyring: Pick<Keyring, 'mac' | 'checkMac' | 'publicKeyPem'>
  readonly stateDir: string
  /** The mark of another daemon that lives, where there is none here. */
  readonly joined?: MarkState | undefined
  /** Files of anchors that can be read here. */
  readonly anchors: readonly string[]
  readonly installation: string
  readonly windows: RemovalWindows
  readonly logger: Pick<Logger, 'warn'>
  readonly now: number
}

/** What was found, whatever it means. */
export interface Found {
  readonly head: Head
  /** Its row is there; else `head` says where the events end. */
  readonly isHeadThere: boolean
  /** Where the events end. */
  readonly last: Place
  /** Here, or of the daemon that was asked. */
  readonly mark: MarkReading
  readonly isJoined: boolean
  readonly anchor: Anchored | undefined
  /** The newest in the store; undefined when there is none, or when it does not verify. */
  readonly checkpoint: Checkpoint | undefined
  /** Its number, whether or not it verifies; 0: there is none. */
  readonly newestNumber: number
  readonly fork: Fork | undefined
  /** Names this state of things, so that what is confirmed is what was seen. */
  readonly code: string
}

export type Judgement = Trusted | { readonly isOpen: false; readonly why: string; readonly found: Found }

export interface Trusted {
  readonly isOpen: true
  readonly found: Found
  /** The removals of the whole log. */
  readonly standing: StandingRemovals
  /** Events up to this one have not been verified yet. */
  readonly unverified: number
}

/** Whether the store is the one that this machine left; writes nothing. The table in docs/decisions/0021 has every case. */
export async function judgeStart(deps: JudgeDeps): Promise<Judgement> {
  const found = await find(deps)
  const standing = new StandingRemovals(deps.keyring, sinceOf(deps.windows, deps.now))
  const tail = await tailOf(deps, found)
  const why =
    headProblem(deps, found) ??
    (await markProblem(deps, found)) ??
    (await anchorProblem(deps, found)) ??
    (await checkpointProblem(deps, found)) ??
    (await tailProblem(deps, found, tail)) ??
    (await removalsProblem(deps, found, standing))
  return why === undefined ? { isOpen: true, found, standing, unverified: tail.seq } : { isOpen: false, why, found }
}

async function find(deps: JudgeDeps): Promise<Found> {
  const { store, keyring, installation, logger } = deps
  const { head: written, last = { seq: 0, hash: genesis(installation) } } = await store.ends()
  const head = written ?? { id: 1, installation, ...last, mac: null }
  const key = readPublicKey(keyring.publicKeyPem)
  const here = await readMark(deps.stateDir, keyring)
  const isJoined = here.kind === 'none' && deps.joined !== undefined
  const mark: MarkReading = isJoined ? { kind: 'read', state: deps.joined, nextSlot: undefined } : here
  const anchor = await newestAnchor(deps.anchors, installation, key, (file, err) =>
    logger.warn({ err, file }, 'an anchor cannot be read, so the log is not compared with it'),
  )
  const row = await store.newestCheckpoint()
  const opened = row && openCheckpoint(row, key)
  const checkpoint = opened?.ok && opened.checkpoint.n === row?.n ? opened.checkpoint : undefined
  const forked = await store.newestOf('audit.forked')
  const fork = forked && readFork(forked)
  const state = mark.kind === 'read' ? mark.state : null
  const code = createHash('sha256')
    .update(
      canonicalJson([
        [installation, head.seq, head.hash, last.seq, last.hash],
        state ? [state.mark, state.seq, state.hash, state.checkpoint, state.damage] : mark.kind,
        anchor ? [anchor.checkpoint.n, anchor.checkpoint.seq, anchor.checkpoint.hash] : null,
      ]),
    )
    .digest('hex')
    .slice(0, 12)
  const isHeadThere = written !== undefined
  return { head, isHeadThere, last, mark, isJoined, anchor, checkpoint, newestNumber: row?.n ?? 0, fork, code }
}

function headProblem({ installation }: JudgeDeps, { head, isHeadThere, last }: Found): string | undefined {
  if (last.seq > 0 && !isHeadThere) return 'the log has no head row'
  if (head.installation !== installation) return `the log belongs to another installation, ${head.installation}`
  return head.seq === last.seq && head.hash === last.hash
    ? undefined
    : `the head row of the log names event ${head.seq}, but the log ends at event ${last.seq}`
}

async function markProblem(deps: JudgeDeps, found: Found): Promise<string | undefined> {
  const { head, mark } = found
  if (mark.kind === 'none') return await missingMark(deps, found)
  if (mark.kind === 'unreadable')
    return 'the mark in state.dir does not verify: it is damaged, or was made under other keys'
  const { state } = mark
  if (state.installation !== deps.installation)
    return `the mark in state.dir belongs to another installation, ${state.installation}`
  if (state.damage !== null) return `an earlier run found the log damaged: ${state.damage}`
  if (head.seq < state.seq) return `the log ends at event ${head.seq}, but it had reached event ${state.seq}`
  if ((await hashAt(deps, state.seq)) !== state.hash)
    return `event ${state.seq} of the log is not the one that was written`
  if (head.seq > state.seq && !isHeadSigned(head, deps.keyring))
    return `the events after ${state.seq} were not written by this broker`
  const newestN = Math.max(found.checkpoint?.n ?? 0, found.fork?.lostCheckpoint ?? 0)
  return newestN < state.checkpoint
    ? `the store has ${newestN} checkpoints, but there were ${state.checkpoint}`
    : undefined
}

/** A mark is made once: what names one shows that it was taken away. */
async function missingMark({ store }: JudgeDeps, { head, checkpoint, anchor }: Found): Promise<string | undefined> {
  const named = [
    ...(head.mac === null ? [] : ['the head of the log']),
    ...((await store.newestOf('mark.created')) ? ['the log'] : []),
    ...(checkpoint?.mark === undefined ? [] : ['a checkpoint']),
    ...(anchor?.checkpoint.mark === undefined ? [] : [`the anchor ${anchor.file}`]),
  ]
  return named[0] === undefined ? undefined : `state.dir holds no mark, but ${named[0]} names one`
}

async function anchorProblem(deps: JudgeDeps, { anchor, fork, head, checkpoint }: Found): Promise<string | undefined> {
  if (!anchor || anchor.checkpoint.n <= (fork?.lostCheckpoint ?? 0)) return undefined // it tells of what was given up
  const { n, seq, hash } = anchor.checkpoint
  if (seq > head.seq || n > (checkpoint?.n ?? 0))
    return `the log ends at event ${head.seq}, but the anchor ${anchor.file} has seen event ${seq} (checkpoint ${n})`
  return (await hashAt(deps, seq)) === hash
    ? undefined
    : `event ${seq} of the log is not the one that the anchor ${anchor.file} has seen`
}

async function checkpointProblem(
  deps: JudgeDeps,
  { checkpoint, newestNumber, fork }: Found,
): Promise<string | undefined> {
  if (newestNumber <= (fork?.lostCheckpoint ?? 0)) return undefined
  if (!checkpoint) return `checkpoint ${newestNumber} of the store does not verify`
  return (await hashAt(deps, checkpoint.seq)) === checkpoint.hash
    ? undefined
    : `event ${checkpoint.seq} of the log is not the one that checkpoint ${checkpoint.n} signs`
}

/** Where verification begins: at the newest checkpoint or at the fork, but no later than at the mark. */
async function tailOf(deps: JudgeDeps, { checkpoint, fork, mark }: Found): Promise<Place> {
  const start: Place = { seq: 0, hash: genesis(deps.installation) }
  const signed = checkpoint && checkpoint.n > (fork?.lostCheckpoint ?? 0) ? checkpoint : undefined
  const forked = fork && { seq: fork.seq - 1, hash: (await hashAt(deps, fork.seq - 1)) ?? '' }
  const base = signed ?? forked ?? start
  const state = mark.kind === 'read' ? mark.state : undefined
  const { seq, hash } = state && state.seq < base.seq ? state : base
  return { seq, hash }
}

async function tailProblem(deps: JudgeDeps, { head }: Found, tail: Place): Promise<string | undefined> {
  const check = createChainCheck(deps.installation, tail)
  for await (const rows of storedEvents(deps.store, head.seq, tail.seq))
    for (const row of rows) {
      const [problem] = check.next(row)
      if (problem) return `event ${problem.at} of the log: ${problem.what}`
    }
  const [problem] = check.end(head)
  return problem && `event ${problem.at} of the log: ${problem.what}`
}

/** Fills `standing` with the removals of the whole log, and compares those up to the mark with its digest. */
async function removalsProblem(
  deps: JudgeDeps,
  { mark }: Found,
  standing: StandingRemovals,
): Promise<string | undefined> {
  const state = mark.kind === 'read' ? mark.state : undefined
  const marked = new StandingRemovals(deps.keyring, state?.since ?? {})
  for await (const removals of removalsOf(deps, earliest(standing.since, marked.since)))
    for (const removal of removals) {
      standing.add(removal)
      if (state && removal.seq <= state.seq) marked.add(removal)
    }
  return state === undefined || marked.digest === state.removals
    ? undefined
    : 'the revocations, locks and ends in the log are not those that were written'
}

/** The removals of the whole log as it is. */
export async function standingRemovals(
  store: AuditStore,
  keyring: Pick<Keyring, 'mac'>,
  since: Since,
): Promise<StandingRemovals> {
  const standing = new StandingRemovals(keyring, since)
  for await (const removals of removalsOf({ store, keyring }, since))
    for (const removal of removals) standing.add(removal)
  return standing
}

function earliest(one: Since, other: Since): Since {
  const types = Object.keys({ ...one, ...other })
  const start = (type: string) => Math.min(...[one[type], other[type]].filter((at) => at !== undefined))
  return Object.fromEntries(types.map((type) => [type, start(type)]))
}

/** Page by page, each type since its instant. */
async function* removalsOf(
  { store, keyring }: Pick<JudgeDeps, 'store'> & { readonly keyring: Pick<Keyring, 'mac'> },
  since: Since,
): AsyncGenerator<readonly (Removal & { readonly seq: number })[]> {
  for (const [type, start] of Object.entries(since)) {
    const rowsOf = pages(
      0,
      ({ seq }: ChainRow) => seq,
      (seq) => store.ofType(type, seq, start, 1000),
    )
    for await (const rows of rowsOf)
      yield rows.map((row) => {
        const hash = hashOf(row)
        return { seq: row.seq, type, at: row.at, hash, member: memberOf(keyring, hash) }
      })
  }
}

/** Of what the row says now; the stored one may have been left as it was. */
function hashOf(row: ChainRow): string {
  try {
    return eventHash(row)
  } catch {
    return '' // a malformed row
  }
}

async function hashAt({ store, installation }: JudgeDeps, seq: number): Promise<string | undefined> {
  return seq === 0 ? genesis(installation) : await store.hashAt(seq)
}

/** What a mark begins with after this judgement. */
export function markStart({ head, mark, isJoined, checkpoint }: Found, newMarkId: string): MarkStart {
  const state = mark.kind === 'read' ? mark.state : undefined
  const own = isJoined ? undefined : state
  return {
    mark: own?.mark ?? newMarkId,
    installation: head.installation,
    count: own?.count ?? 0,
    seq: head.seq,
    hash: head.hash,
    checkpoint: Math.max(checkpoint?.n ?? 0, state?.checkpoint ?? 0),
    slot: mark.kind === 'read' ? mark.nextSlot : undefined,
  }
}
