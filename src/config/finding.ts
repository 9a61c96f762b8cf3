/** A problem that no single value shows. */
export interface Finding {
  readonly path: string
  readonly message: string
  readonly fix: string
  /** True: the daemon starts anyway. */
  readonly warning?: true
}
