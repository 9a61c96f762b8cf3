import { existsSync } from 'node:fs'
import { BrokerError } from '../../proxy/session.ts'
import { createAuditStore } from '../audit/audit-store.ts'
import { storeSource } from '../audit/verify/store-source.ts'
import { type AuditReport, verifyAudit } from '../audit/verify/verify.ts'
import type { Env } from '../config/load.ts'
import { type CopiedTable, copyRows } from '../store/copy-rows.ts'
import { type Db, openStore } from '../store/store.ts'
import { openKeysOf } from './keys-of-store.ts'
import { configOf } from './stopped-daemon.ts'

export interface CopyOptions {
  readonly configFile: string
  readonly env: Env
  /** The file of the SQLite store. */
  readonly from: string
}

export interface StoreCopy {
  /** Where the copy is, as messages show it. */
  readonly url: string
  readonly tables: readonly CopiedTable[]
  readonly report: AuditReport
}

/**
 * Copies a SQLite store, whose daemon is stopped, into the empty store of the configuration, and verifies the log there. All of it is
 * there afterwards, or nothing. The mark in `state.dir` fits both, and the first event on either makes the other one old.
 * @throws BrokerError INVALID_INPUT, STORE_UNAVAILABLE while a daemon runs, AUDIT_UNAVAILABLE when the copied log does not verify, CONFIG_INVALID
 */
export async function copyStore(options: CopyOptions, onProgress: (done: CopiedTable) => void): Promise<StoreCopy> {
  const config = await configOf(options)
  const { from: file } = options
  if (!config.store.postgres)
    throw new BrokerError(
      'INVALID_INPUT',
      `store.url is ${config.store.url}: set it to where the copy goes, PostgreSQL`,
    )
  if (!existsSync(file)) throw new BrokerError('INVALID_INPUT', `no such file: ${file}`)
  await using from = closing(await openStore({ url: `sqlite:${file}` }))
  const { publicKeyPem } = await openKeysOf(from.db, config)
  await using to = closing(await openStore(config.store))
  return await to.db.transaction().execute(async (trx) => {
    const tables = await copyRows(from.db, trx, onProgress)
    const report = await verifyAudit({ source: storeSource(createAuditStore(trx), trx), publicKeyPem })
    if (report.ok) return { url: config.store.url, tables, report }
    throw new BrokerError('AUDIT_UNAVAILABLE', `nothing was copied, because the log does not verify: ${report.summary}`)
  })
}

function closing(db: Db): AsyncDisposable & { readonly db: Db } {
  return { db, [Symbol.asyncDispose]: () => db.destroy() }
}
