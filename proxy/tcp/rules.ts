/** What the engine of streams goes by; made by the kind. */
export interface TcpRules {
  /** 0: that of the broker alone. */
  readonly idleTimeoutMs: number
  /** For the session's row and its end event. */
  readonly detail: Readonly<Record<string, string>>
  /** Left out: it leads to a port. */
  readonly ssh?: SshRules
}

/** A stream to the SSH server of the instance, for a key that is put in for this session alone. */
export interface SshRules {
  /** As whom the key signs in. */
  readonly user: string
  /** `restricted`: the server forwards nothing for it. */
  readonly mode: 'restricted' | 'full'
  /** Base64, as authorized_keys has it: of type ssh-ed25519. */
  readonly key: string
}
