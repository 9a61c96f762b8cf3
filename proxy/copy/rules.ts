import type { CopyDirection } from '../wire/copy/messages.ts'

/** What the engine of copies goes by; made by the kind. */
export interface CopyRules {
  readonly copy: CopyDirection
  /** By a key of KMS, beyond TLS; a session that is not is refused. */
  readonly isEncrypted: boolean
  /** 0: that of the broker alone. */
  readonly idleTimeoutMs: number
  /** For the session's row and its end event. */
  readonly detail: Readonly<Record<string, string>>
}
