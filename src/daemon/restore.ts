import { resolve } from 'node:path'
import { BrokerError } from '../../proxy/session.ts'
import { createAuditStore } from '../audit/audit-store.ts'
import { confirmRestore } from '../audit/mark/confirm.ts'
import { type OutsideCopy, readOutsideCopy } from '../audit/mark/outside-copy.ts'
import type { Config } from '../config/config.ts'
import type { Env } from '../config/load.ts'
import { beatingRows } from '../daemons/register.ts'
import { type CredentialStore, createCredentialStore } from '../kinds/iam-role/credential-store.ts'
import type { Keyring } from '../store/keyring.ts'
import { type PutBack, putBack } from '../store/put-back.ts'
import { type Db, isShared } from '../store/store.ts'
import { systemClock } from '../telemetry/clock.ts'
import { createLogger } from '../telemetry/logger.ts'
import { openJudgedStore, windowsOf } from './judged-store.ts'
import { configOf } from './stopped-daemon.ts'

export interface RestoreOptions {
  readonly configFile: string
  readonly env: Env
  /** File of `audit export`, kept outside the broker. */
  readonly log?: string
  /** What `/readyz` or an earlier look named. */
  readonly confirm?: string
}

/** Credentials that nothing can take back, except the role's own settings in AWS. */
export interface Outliving {
  readonly role: string
  readonly session: string
  readonly worksUntil: number
}

export interface RestoreReport {
  /** Null: the store is the one that this machine left. */
  readonly why: string | null
  /** Whether several daemons may be on it. */
  readonly isShared: boolean
  readonly code: string
  readonly outside: OutsideCopy | undefined
  readonly outliving: readonly Outliving[]
  /** Set once it was confirmed: all up to this instant is void, epoch milliseconds. */
  readonly voidUntil: number | null
}

/**
 * Looks at the store of a stopped daemon, and with `confirm` accepts it: for who holds `keys.dir` on the host, since nobody can sign in.
 * @throws BrokerError CONFIG_INVALID, STORE_UNAVAILABLE while a daemon runs on it, INVALID_INPUT, STALE for another code
 */
export async function restore(options: RestoreOptions): Promise<RestoreReport> {
  const config = await configOf(options)
  await using closing = new AsyncDisposableStack()
  const { db, keyring, installation, judgement } = await openJudgedStore(
    config,
    createLogger({ level: 'silent' }),
    closing,
  )
  const store = createAuditStore(db)
  const outside =
    options.log === undefined
      ? undefined
      : await readOutsideCopy(options.log, { store, installation, publicKeyPem: keyring.publicKeyPem })
  const { found } = judgement
  const report = {
    why: judgement.isOpen ? null : judgement.why,
    isShared: isShared(db),
    code: found.code,
    outside,
    outliving: await outliving(createCredentialStore(db, keyring), outside),
    voidUntil: null,
  }
  if (options.confirm === undefined) return report
  if (judgement.isOpen)
    throw new BrokerError('STALE', 'the store is the one that this machine left: nothing to confirm')
  if (options.confirm !== found.code)
    throw new BrokerError('STALE', `${options.confirm} was confirmed, but now it is ${found.code}: ${judgement.why}`)
  await requireStopped(db, keyring)
  const deps = { store, keyring, installation, ...placeOf(config), clock: systemClock }
  const fork = await confirmRestore(deps, found, judgement.why, outside)
  return { ...report, voidUntil: fork.voidUntil }
}

/** A daemon that is open does not expect what is older to be void, nor the numbers of checkpoints to go on elsewhere. */
async function requireStopped(db: Db, keyring: Keyring): Promise<void> {
  if (!isShared(db)) return
  const running = await beatingRows(db, keyring)
  if (running.length === 0) return
  const names = running.map(({ id, name }) => `${id} on ${name}`).join(', ')
  throw new BrokerError('STORE_UNAVAILABLE', `it is in use by ${names}`, {
    hint:
      'Stop every daemon on the store, and wait 15 seconds for one that was killed; confirm for each of them, and only then start them. ' +
      'Or, to have this one join the others: name an empty state.dir and new files of anchors.',
  })
}

export interface PutBackOptions extends Pick<RestoreOptions, 'configFile' | 'env'> {
  /** A folder that `sallyport backup` made, or the file of a store. */
  readonly from: string
  readonly isOverwriting: boolean
}

export interface RestoredBackup extends PutBack {
  readonly storeFile: string
}

/** Puts a backup where the daemon will find it. @throws BrokerError CONFIG_INVALID, INVALID_INPUT */
export async function putBackupBack(options: PutBackOptions): Promise<RestoredBackup> {
  const { store, keysDir } = await configOf(options)
  const storeFile = /^sqlite:(?!:memory:)(.+)$/.exec(store.url)?.[1]
  if (store.postgres)
    throw new BrokerError(
      'INVALID_INPUT',
      'a PostgreSQL store is put back by its own tools; then run this without a backup',
    )
  if (storeFile === undefined) throw new BrokerError('INVALID_INPUT', 'a store in memory cannot be restored')
  return { ...putBack(resolve(options.from), { storeFile, keysDir }, options.isOverwriting), storeFile }
}

function placeOf(config: Config) {
  return { stateDir: config.stateDir, windows: windowsOf(config) }
}

/** Of roles without a revocation boundary, as far as the store or the copy of the log knows them. */
async function outliving(store: CredentialStore, outside: OutsideCopy | undefined): Promise<Outliving[]> {
  const now = systemClock.now()
  const known = (await store.unrevoked(now)).filter(({ revocable }) => !revocable)
  const lost = (outside?.credentials ?? []).filter(({ isRevocable, worksUntil }) => !isRevocable && worksUntil > now)
  return [
    ...known.map((row) => ({ role: row.role_arn, session: row.session_id, worksUntil: row.works_until })),
    ...lost.map(({ role, session, worksUntil }) => ({ role, session, worksUntil })),
  ]
}
