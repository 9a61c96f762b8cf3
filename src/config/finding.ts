/** Something that no single value shows. */
export interface Finding {
  readonly path: string
  readonly message: string
  readonly fix: string
  /** True: the daemon starts all the same. */
  readonly warning?: true
}
