/** A refresh token and what the provider has said of it. */
export interface KeptToken {
  readonly token: string
  /** It was sent and the answer did not arrive: the provider may have replaced it by one that we never saw. */
  readonly inDoubt: boolean
  /** When the provider first refused it, epoch milliseconds; null while it hasn't. */
  readonly refusedAt: number | null
}

/** No refresh token begins with it (RFC 6749, appendix A.17). */
const mark = '\u0001'

/** A token of which there is nothing to say is kept as it is. */
export function writeKeptToken({ token, inDoubt, refusedAt }: KeptToken): Buffer {
  const isPlain = !inDoubt && refusedAt === null
  return Buffer.from(isPlain ? token : mark + JSON.stringify({ token, inDoubt, refusedAt }))
}

/** @param text what was sealed, by this version or by one that kept the token alone */
export function readKeptToken(text: string): KeptToken {
  if (!text.startsWith(mark)) return { token: text, inDoubt: false, refusedAt: null }
  return JSON.parse(text.slice(mark.length)) as KeptToken // sealed by us alone
}
