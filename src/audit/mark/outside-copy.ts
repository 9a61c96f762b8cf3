import { BrokerError } from '../../../proxy/session.ts'
import type { AuditStore } from '../audit-store.ts'
import { openBody } from '../checkpoint.ts'
import { exportSource } from '../export.ts'
import { fileLines } from '../read-lines.ts'
import { verifyAudit } from '../verify/verify.ts'

/** What AWS was asked for, according to events that the store has lost. */
export interface LostCredentials {
  readonly role: string
  readonly session: string
  readonly accessKey: string
  /** Epoch milliseconds. */
  readonly worksUntil: number
  readonly isRevocable: boolean
}

/** What a copy of the log knows that the store does not. */
export interface OutsideCopy {
  /** Its last event, and its newest checkpoint. */
  readonly seq: number
  readonly checkpoint: number
  /** Of its newest event, epoch milliseconds. */
  readonly at: number
  /** Events that the store has not, or has others for. */
  readonly lost: number
  readonly credentials: readonly LostCredentials[]
  /** Identities that it says are locked. */
  readonly locked: readonly string[]
}

/**
 * Reads a file of `audit export`.
 * @throws BrokerError INVALID_INPUT when it does not verify, or is of another installation
 */
export async function readOutsideCopy(
  path: string,
  { store, installation, publicKeyPem }: { store: AuditStore; installation: string; publicKeyPem: string },
): Promise<OutsideCopy> {
  const report = await verifyAudit({ source: exportSource(fileLines(path)), publicKeyPem })
  if (!report.ok) throw new BrokerError('INVALID_INPUT', `${path}: ${report.summary}`)
  if (report.installation !== installation)
    throw new BrokerError('INVALID_INPUT', `${path}: it is of another installation, ${report.installation}`)
  const source = exportSource(fileLines(path))
  let checkpoint = 0
  for await (const { body } of source.checkpoints()) checkpoint = Math.max(checkpoint, openBody(body)?.n ?? 0)
  const locked = new Set<string>()
  const credentials: LostCredentials[] = []
  const hashAt = hashes(store)
  let [seq, at, lost] = [0, 0, 0]
  for await (const rows of source.events())
    for (const row of rows) {
      seq = row.seq
      at = Math.max(at, row.at)
      const fields = JSON.parse(row.body) as Record<string, unknown>
      if (row.type === 'principal.locked') locked.add(String(fields.principal))
      if (row.type === 'principal.unlocked') locked.delete(String(fields.principal))
      if (lost === 0 && (await hashAt(row.seq)) === row.hash) continue
      lost++
      if (row.type === 'credentials.issued') credentials.push(toCredentials(fields))
    }
  return { seq, checkpoint, at, lost, credentials, locked: [...locked] }
}

/** Of the store's events, for a reader who goes forward. */
function hashes(store: AuditStore): (seq: number) => Promise<string | undefined> {
  let page = new Map<number, string>()
  return async (seq) => {
    if (!page.has(seq)) page = new Map((await store.page(seq - 1, 200)).map((row) => [row.seq, row.hash]))
    return page.get(seq)
  }
}

function toCredentials(fields: Record<string, unknown>): LostCredentials {
  return {
    role: String(fields.role),
    session: String(fields.session),
    accessKey: String(fields.access_key),
    worksUntil: Number(fields.works_until),
    isRevocable: fields.revocable === true,
  }
}
