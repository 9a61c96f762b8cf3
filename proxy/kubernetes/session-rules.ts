import type { KubernetesRule } from './rules.ts'

/** What the engine goes by; made by the kind. Plain data. */
export interface KubernetesRules {
  readonly rules: readonly KubernetesRule[]
  /** Of a stream to a container; 0: none. */
  readonly idleTimeoutMs: number
  readonly recordsInput: boolean
  /** For the session's row. */
  readonly detail: Readonly<Record<string, string>>
}
