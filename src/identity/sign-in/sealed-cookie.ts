import type { Keyring } from '../../store/keyring.ts'
import type { Clock } from '../../telemetry/clock.ts'
import { type PendingSignIn, signInWithinMs } from './sign-in.ts'

export interface SealedSignIns {
  seal(pending: PendingSignIn): string
  /** Null unless it is a sign-in that we sealed and that has not expired. */
  open(cookie: string | undefined): PendingSignIn | null
}

const purpose = 'oidc-sign-in'
const longest = 4096 // browsers keep no longer cookies

/** Keeps a sign-in at the browser that began it: nothing to store, and no other browser can continue it. */
export function createSealedSignIns(deps: { keyring: Pick<Keyring, 'seal' | 'unseal'>; clock: Clock }): SealedSignIns {
  return {
    seal: (pending) => deps.keyring.seal(purpose, Buffer.from(JSON.stringify(pending))).toString('base64url'),
    open: (cookie) => {
      if (!cookie || cookie.length > longest) return null
      const pending = unseal(deps.keyring, cookie)
      return pending && deps.clock.now() - pending.startedAt <= signInWithinMs ? pending : null
    },
  }
}

function unseal(keyring: Pick<Keyring, 'unseal'>, cookie: string): PendingSignIn | null {
  try {
    // Only we can have sealed it, so its shape is the one we wrote.
    return JSON.parse(keyring.unseal(purpose, Buffer.from(cookie, 'base64url')).toString()) as PendingSignIn
  } catch {
    return null // foreign bytes, or sealed with an earlier key: treated as no cookie
  }
}
