/** Of `sallyport connect`, as commander parses them. */
export interface ConnectOptions {
  readonly level?: string
  readonly port?: number
  readonly socket?: boolean
  /** False with --no-password. */
  readonly password: boolean
  readonly print?: string
  readonly writePgpass?: boolean
  readonly database?: string
  readonly json?: boolean
  readonly token?: boolean
  readonly cidr?: string
  /** Milliseconds. */
  readonly for?: number
}
