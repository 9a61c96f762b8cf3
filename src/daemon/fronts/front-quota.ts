import type { BrokerError } from '../../../proxy/session.ts'
import { RecordingQuota } from '../../recordings/recording-quota.ts'

/** Limits what one front records, and counts it for control, which knows of all. */
export class FrontQuota extends RecordingQuota {
  #recorded = new Map<string, number>()

  override spend(principalId: string, bytes: number): BrokerError | undefined {
    this.#recorded.set(principalId, (this.#recorded.get(principalId) ?? 0) + bytes)
    return super.spend(principalId, bytes)
  }

  /** Bytes by principal since the last call. */
  takeRecorded(): [string, number][] {
    if (this.#recorded.size === 0) return []
    const taken = [...this.#recorded]
    this.#recorded = new Map()
    return taken
  }
}
