import type { Digests } from '../../recording/digests.ts'
import type { EntryWriter } from '../../recording/entry-writer.ts'
import type { UpgradeProtocol } from '../upgrade.ts'
import type { StreamTap } from './tap.ts'

export interface RecordParts {
  readonly writer: EntryWriter
  /** Epoch milliseconds. */
  readonly now: () => number
  readonly digests: Digests
}

/** The recording of one stream. All throw BrokerError RECORDING_FAILED, LIMIT_REACHED: nothing may be passed on. */
export interface StreamRecord {
  /** What was asked for. @param detail for players and searches */
  begin(detail: Readonly<Record<string, string>>): void
  /** Reads along from now on. @param protocol that the cluster chose @throws WireError too */
  follow(upgrade: UpgradeProtocol, protocol: string): StreamTap
  notice(text: string): void
  /** How much has passed by now of what is counted alone. */
  traffic(): void
  /** Someone begins to watch: the size of the terminal is on record behind it. */
  watched(): void
  /** The person can be shown a text. */
  readonly hasScreen: boolean
  /** Bytes that show it; null: not now. */
  remark(text: string): Buffer | null
  end(): void
}
