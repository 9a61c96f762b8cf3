import type { Keyring } from '../../store/keyring.ts'
import type { AuditStore } from '../audit-store.ts'
import { createChainCheck, genesis } from '../chain.ts'
import { openCheckpoint, readPublicKey } from '../checkpoint.ts'
import { storedCheckpoints, storedEvents } from '../stored-pages.ts'
import type { Fork } from './fork.ts'

export interface DamageDeps {
  readonly store: Pick<AuditStore, 'checkpoints' | 'page' | 'hashAt'>
  readonly keyring: Pick<Keyring, 'publicKeyPem'>
  readonly installation: string
  readonly fork: Fork | undefined
  readonly lastSeq: number
}

/**
 * Verifies events and checkpoints that the start did not look at. What is older than a restore that was confirmed over a damaged
 * log is known, and `audit verify` names it.
 * @param lastSeq the last event to look at; the one after it was verified at start
 * @returns the first thing wrong, or undefined
 */
export async function findDamage({
  store,
  keyring,
  installation,
  fork,
  lastSeq,
}: DamageDeps): Promise<string | undefined> {
  const isKnown = fork !== undefined && fork.damagedAt !== null
  const after = isKnown
    ? { seq: fork.seq - 1, hash: (await store.hashAt(fork.seq - 1)) ?? '' }
    : { seq: 0, hash: genesis(installation) }
  const key = readPublicKey(keyring.publicKeyPem)
  const signed = new Map<number, string>()
  for await (const rows of storedCheckpoints(store))
    for (const row of rows) {
      if (row.n <= (fork?.lostCheckpoint ?? 0)) continue
      const opened = openCheckpoint(row, key)
      if (!opened.ok) return `checkpoint ${row.n}: ${opened.what}`
      signed.set(opened.checkpoint.seq, opened.checkpoint.hash)
    }
  const check = createChainCheck(installation, after)
  let last = after
  for await (const rows of storedEvents(store, lastSeq, after.seq))
    for (const row of rows) {
      const [problem] = check.next(row)
      if (problem) return `event ${problem.at}: ${problem.what}`
      if ((signed.get(row.seq) ?? row.hash) !== row.hash) return `event ${row.seq} is not the one that was signed`
      last = row
    }
  const expected = Math.max(lastSeq, after.seq)
  if (last.seq !== expected) return `event ${last.seq + 1}: missing`
  const [problem] = check.end({ seq: last.seq, hash: last.hash })
  return problem && `event ${problem.at}: ${problem.what}`
}
