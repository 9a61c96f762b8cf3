import type { Test } from 'tap'
import type { AuditRecord, Origin } from '../../../src/audit/audit.ts'
import { createAuditStore } from '../../../src/audit/audit-store.ts'
import { storedEvents } from '../../../src/audit/stored-pages.ts'
import type { Db } from '../../../src/store/store.ts'
import { postgresPlace } from '../store/both-stores.ts'
import { newDir, type OpenAuditOptions, openAudit } from './start-audit.ts'

export interface Told {
  readonly seq: number
  readonly hash: string
  readonly from: Origin
}

/** Audit logs of several daemons on one PostgreSQL: shared keys, and all else of their own. Not started: nothing polls. */
export async function openDaemons(t: Test, count: number, options: OpenAuditOptions = {}) {
  const place = await postgresPlace({ lockTimeoutMs: 3000 })
  const keysDir = newDir(t)
  const open = async (more: OpenAuditOptions = {}) => {
    const opened = await openAudit(t, { place, keysDir, ...options, ...more })
    const told: (Told & { readonly record: AuditRecord })[] = []
    opened.audit.subscribe((record, from) => told.push({ seq: record.seq, hash: record.hash, from, record }))
    const damages: string[] = []
    opened.audit.onDamaged((what) => damages.push(what))
    return { ...opened, told, damages }
  }
  const daemons: Awaited<ReturnType<typeof open>>[] = []
  for (let i = 0; i < count; i++) daemons.push(await open())
  return { place, keysDir, daemons, open }
}

/** What the log holds, read as a whole. */
export async function allEvents(db: Db): Promise<{ seq: number; hash: string }[]> {
  const all: { seq: number; hash: string }[] = []
  for await (const rows of storedEvents(createAuditStore(db))) all.push(...rows.map(({ seq, hash }) => ({ seq, hash })))
  return all
}

export const places = (told: readonly Told[]) => told.map(({ seq, hash }) => ({ seq, hash }))
