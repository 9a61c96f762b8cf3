import { newTokenId } from '../../store/ids.ts'
import type { Keyring } from '../../store/keyring.ts'
import { prepareEvent } from '../append/prepare-event.ts'
import type { AuditStore } from '../audit-store.ts'
import { createChainCheck } from '../chain.ts'
import { storedEvents } from '../stored-pages.ts'
import { type Fork, forkEvent } from './fork.ts'
import { type Found, markStart, standingRemovals } from './judge.ts'
import { Mark, type MarkDeps } from './mark.ts'
import type { OutsideCopy } from './outside-copy.ts'
import { sinceOf } from './standing-removals.ts'

export interface ConfirmDeps extends MarkDeps {
  readonly store: AuditStore
  readonly keyring: Pick<Keyring, 'mac' | 'checkMac'>
  readonly installation: string
}

/**
 * Accepts the store as it is: the log goes on from here and says so, and what is older is void. The mark is written last, so
 * that a crash on the way leaves a store that must be confirmed again.
 */
export async function confirmRestore(
  deps: ConfirmDeps,
  found: Found,
  why: string,
  outside: OutsideCopy | undefined,
): Promise<Omit<Fork, 'seq'>> {
  const { store, keyring, installation, clock, windows } = deps
  await store.repairHead(installation)
  const fork = await forkOf(deps, found, outside)
  const lockedAt = fork.voidUntil
  const locks = (outside?.locked ?? []).map((principal) =>
    prepareEvent(
      { type: 'principal.locked', actor: 'system', fields: { principal, locked_at: lockedAt, fork: fork.code } },
      clock.now(),
    ),
  )
  await store.commit([prepareEvent(forkEvent(fork, why), clock.now()), ...locks], keyring)
  const head = await store.head()
  const standing = await standingRemovals(store, keyring, sinceOf(windows, clock.now()))
  const start = { ...markStart(found, `mrk_${newTokenId()}`), installation, seq: head.seq, hash: head.hash }
  const mark = await Mark.open(deps, { ...start, checkpoint: fork.lostCheckpoint, slot: undefined }, standing)
  await mark.close()
  return fork
}

async function forkOf(
  { store, installation, clock }: ConfirmDeps,
  { code, mark, anchor, fork: earlier }: Found,
  outside: OutsideCopy | undefined,
): Promise<Omit<Fork, 'seq'>> {
  const state = mark.kind === 'read' ? mark.state : undefined
  const head = await store.head()
  const check = createChainCheck(installation)
  let [newestAt, damagedAt] = [0, null as number | null]
  for await (const rows of storedEvents(store))
    for (const row of rows) {
      newestAt = Math.max(newestAt, Number(row.at))
      damagedAt ??= seqOf(check.next(row)[0]?.at)
    }
  damagedAt ??= seqOf(check.end(head)[0]?.at)
  const seen = anchor?.checkpoint
  return {
    code,
    // What was given up may have been written by a clock that is ahead of this one.
    voidUntil: Math.max(clock.now(), newestAt, state?.at ?? 0, seen?.at ?? 0, outside?.at ?? 0),
    lostSeq: Math.max(head.seq, state?.seq ?? 0, seen?.seq ?? 0, outside?.seq ?? 0),
    lostCheckpoint: Math.max(
      (await store.newestCheckpoint())?.n ?? 0,
      state?.checkpoint ?? 0,
      seen?.n ?? 0,
      outside?.checkpoint ?? 0,
      earlier?.lostCheckpoint ?? 0,
    ),
    damagedAt,
  }
}

function seqOf(at: number | string | undefined): number | null {
  return at === undefined ? null : Number(at)
}
