import type { AuditLog } from '../../audit/audit.ts'
import type { Metrics } from '../../telemetry/metrics.ts'

const mostKinds = 20
const mostAddresses = 1000
const shownAddresses = 10

/** Failed sign-ins: counted, and summarised in one event per sweep, so that they can't flood the audit log. */
export class FailedLogins {
  readonly #deps: { audit: Pick<AuditLog, 'appendRemoval'>; metrics: Pick<Metrics, 'loginsTotal'> }
  readonly #reasons = new Map<string, number>()
  readonly #addresses = new Map<string, number>()

  constructor(deps: { audit: Pick<AuditLog, 'appendRemoval'>; metrics: Pick<Metrics, 'loginsTotal'> }) {
    this.#deps = deps
  }

  add(why: string, address: string): void {
    this.#deps.metrics.loginsTotal.inc({ outcome: 'failed' })
    count(this.#reasons, toKey(why), mostKinds)
    count(this.#addresses, address.slice(0, 64), mostAddresses)
  }

  async report(): Promise<void> {
    if (this.#reasons.size === 0) return
    const fields = Object.fromEntries(this.#reasons)
    const most = [...this.#addresses].sort(([, a], [, b]) => b - a).slice(0, shownAddresses)
    const addresses = most.map(([address, times]) => `${address} (${times})`).join(', ')
    const distinct = this.#addresses.size
    this.#reasons.clear()
    this.#addresses.clear()
    await this.#deps.audit.appendRemoval({
      type: 'login.failed',
      actor: 'system',
      fields: { ...fields, addresses: distinct },
      text: { addresses },
    })
  }
}

function toKey(why: string): string {
  const key = why.toLowerCase().replace(/[^a-z0-9]+/g, '_')
  return `why_${key.slice(0, 60)}`
}

function count(counts: Map<string, number>, key: string, most: number): void {
  const known = counts.has(key) || counts.size < most ? key : 'others'
  counts.set(known, (counts.get(known) ?? 0) + 1)
}
