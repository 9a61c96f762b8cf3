import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { AuditEvent } from '../../../src/audit/audit.ts'
import { type AuditDeps, createAuditLog } from '../../../src/audit/create-audit.ts'
import { openKeyring } from '../../../src/store/keyring.ts'
import type { StorePlace } from '../../../src/store/place.ts'
import { openStore } from '../../../src/store/store.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { markIn } from './mark-in.ts'

export function newDir(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-audit-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

export interface OpenAuditOptions extends Partial<AuditDeps> {
  /** By default a SQLite file in the folder. */
  readonly place?: StorePlace
  /** By default in the folder. */
  readonly keysDir?: string
  wrapMark?(mark: AuditDeps['mark']): AuditDeps['mark']
}

/** An audit log on a store of its own, or on what an earlier one left in `dir`; not yet started. */
export async function openAudit(t: Test, options: OpenAuditOptions & { readonly dir?: string } = {}) {
  const { dir = newDir(t), ...others } = options
  const opened = await openAuditIn(dir, others)
  t.teardown(opened.close)
  return opened
}

/** As {@link openAudit}; the caller closes it. */
export async function openAuditIn(dir: string, options: OpenAuditOptions = {}) {
  const { wrapMark = (one) => one, place, keysDir = join(dir, 'keys'), ...overrides } = options
  const db = overrides.db ?? (await openStore(place ?? { url: `sqlite:${join(dir, 'test.db')}` }))
  const keyring = openKeyring(keysDir)
  const logged: string[] = []
  const metrics = createMetrics()
  const anchorFile = join(dir, 'anchor.jsonl')
  const clock = overrides.clock ?? { now: () => 1_800_000_000_000 }
  const mark = await markIn(dir, { keyring, clock })
  const deps: AuditDeps = {
    db,
    installation: 'ins_test',
    keyring,
    clock,
    mark: wrapMark(mark),
    fork: undefined,
    logger: createLogger({ level: 'warn', destination: { write: (line: string) => logged.push(line) } }),
    metrics,
    config: { checkpointEveryMs: 300_000, checkpointEvents: 1000, anchors: [{ file: anchorFile }] },
    spoolPath: join(dir, 'audit.spool'),
    heads: () => [],
    ...overrides,
  }
  const audit = await createAuditLog(deps)
  let isClosed = false
  const close = async () => {
    if (isClosed) return
    isClosed = true
    await audit.stop()
    await mark.close()
    if (!overrides.db) await db.destroy()
  }
  return { audit, db, dir, keyring, logged, metrics, anchorFile, close }
}

export const created = (grant: string): AuditEvent => ({
  type: 'grant.created',
  actor: 'prn_alice',
  fields: { grant, count: 1 },
  text: { name: 'alice@example.com' },
})

export const revoked = (grant: string): AuditEvent => ({
  type: 'grant.revoked',
  actor: 'prn_bob',
  fields: { grant },
  text: { name: 'bob@example.com', reason: 'incident 42' },
})
