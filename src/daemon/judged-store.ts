import { accessRemovals } from '../access/recover.ts'
import { createAuditStore } from '../audit/audit-store.ts'
import { type Judgement, judgeStart, markStart, type Trusted } from '../audit/mark/judge.ts'
import { Mark } from '../audit/mark/mark.ts'
import { type MarkState, readMark } from '../audit/mark/mark-file.ts'
import type { RemovalWindows } from '../audit/mark/standing-removals.ts'
import type { Config } from '../config/config.ts'
import { identityRemovals } from '../identity/recover.ts'
import { newId, newTokenId } from '../store/ids.ts'
import type { Keyring } from '../store/keyring.ts'
import { settledValue } from '../store/settings.ts'
import { openStateDir } from '../store/state-dir.ts'
import { type Db, isShared, openStore } from '../store/store.ts'
import { systemClock } from '../telemetry/clock.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Distrust } from './distrust.ts'
import { openKeysOf } from './keys-of-store.ts'
import { markOfPeer } from './mark-of-peer.ts'

export interface JudgedStore {
  readonly db: Db
  readonly keyring: Keyring
  readonly installation: string
  readonly judgement: Judgement
}

/** One that is the store that this machine left. */
export interface TrustedStore extends JudgedStore {
  readonly judgement: Trusted
}

/**
 * Opens the store with its keys, and judges whether it is the one that this machine left. Nothing is written to the log.
 * @param closing closes the store
 * @param patienceMs how long a daemon that lives may take to say where the log is
 */
export async function openJudgedStore(
  config: Config,
  logger: Logger,
  closing: AsyncDisposableStack,
  patienceMs?: number,
): Promise<JudgedStore> {
  const db = await openStore(config.store)
  closing.defer(() => db.destroy())
  const keyring = await openKeysOf(db, config)
  openStateDir(config.stateDir)
  // An empty store where there is a mark is being put back, or was lost: it is no new installation.
  const mark = await readMark(config.stateDir, keyring)
  const installation = await settledValue(db, 'installation', () =>
    mark.kind === 'read' ? mark.state.installation : newId('ins'),
  )
  // Other daemons may be writing: what is compared is of one moment.
  const snapshot = db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only')
  const judge = (joined?: MarkState) =>
    snapshot.execute((trx) =>
      judgeStart({
        store: createAuditStore(trx),
        keyring,
        stateDir: config.stateDir,
        joined,
        anchors: anchorFiles(config),
        installation,
        windows: windowsOf(config),
        logger,
        now: systemClock.now(),
      }),
    )
  let judgement = await judge()
  if (!judgement.isOpen && judgement.found.mark.kind === 'none') {
    const joined = await markOfPeer(config, { db, keyring, logger }, patienceMs)
    if (joined) judgement = await judge(joined)
  }
  return { db, keyring, installation, judgement }
}

export function distrustOf(db: Db, { why, found }: Exclude<Judgement, Trusted>): Distrust {
  return { why, code: found.code, isShared: isShared(db) }
}

/** The mark for a store that was judged good. It is made when there is none. */
export async function openMark(
  config: Config,
  { keyring, judgement }: Pick<TrustedStore, 'keyring' | 'judgement'>,
  closing: AsyncDisposableStack,
): Promise<Mark> {
  const deps = { stateDir: config.stateDir, keyring, clock: systemClock, windows: windowsOf(config) }
  const mark = await Mark.open(deps, markStart(judgement.found, `mrk_${newTokenId()}`), judgement.standing)
  closing.defer(() => mark.close())
  return mark
}

function anchorFiles({ audit }: Pick<Config, 'audit'>): string[] {
  return audit.anchors.flatMap((anchor) => ('file' in anchor ? [anchor.file] : []))
}

export function windowsOf({ oidc }: Config): RemovalWindows {
  const forEver = Number.POSITIVE_INFINITY
  return { ...identityRemovals(oidc), ...accessRemovals(), 'mark.created': forEver, 'audit.forked': forEver }
}
