import type { EndReason } from '../../proxy/session.ts'

/**
 * A change to access: taken away, possibly taken away, or given; here, or by another daemon of the store. Removals are published before
 * they are audited.
 */
export type Change =
  | {
      readonly what: 'grant' | 'principal' | 'login' | 'token' | 'resource' | 'session'
      readonly id: string
      readonly reason: EndReason
      readonly text: string
      readonly decidedAt: number
      /** Another daemon of the store took it away, and has written that down. */
      readonly from?: 'elsewhere'
    }
  /** A grant was given, or ends later or earlier than before. */
  | {
      readonly what: 'grant-given' | 'grant-extended' | 'grant-shortened'
      readonly id: string
      /** Epoch milliseconds. */
      readonly endsAt: number
      /** Its end before; null for a new one. */
      readonly from: number | null
    }
  /** Rules were reloaded: live grants must match them again. */
  | { readonly what: 'rules' }
  /** Groups, manager or status of this principal changed: its grants must match again. */
  | { readonly what: 'directory'; readonly id: string }

export type ChangeListener = (change: Change) => void

/**
 * Publishes changes to every part of this daemon, synchronously; the only source for whatever depends on a grant. What a
 * listener publishes follows once everyone has heard of the cause. Listeners must not throw.
 */
export interface Changes {
  publish(change: Change): void
  /** How many have been published so far: the same number again means that there was none in between. */
  readonly count: number
  subscribe(listener: ChangeListener): () => void
}

export function createChanges(): Changes {
  const listeners = new Set<ChangeListener>()
  const waiting: Change[] = []
  let count = 0
  return {
    get count() {
      return count
    },
    publish: (change) => {
      count++
      waiting.push(change)
      if (waiting.length > 1) return // a listener is being told: its consequences come after their cause
      try {
        for (let next = waiting[0]; next; next = waiting[0]) {
          for (const listener of [...listeners]) listener(next)
          waiting.shift()
        }
      } finally {
        waiting.length = 0
      }
    },
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** A change that took access from one subject. */
export type Removal = Extract<Change, { readonly reason: EndReason }>

export function isRemoval(change: Change): change is Removal {
  return 'reason' in change
}

/** Ids through which something held can be taken away. */
export interface Held {
  readonly sessionId: string
  readonly grantId: string
  readonly principalId: string
  /** Login or token through which it was requested. */
  readonly credentialId: string
  readonly resourceId: string
}

const subjects: Record<Removal['what'], keyof Held> = {
  grant: 'grantId',
  principal: 'principalId',
  login: 'credentialId',
  token: 'credentialId',
  resource: 'resourceId',
  session: 'sessionId',
}

/** Whether the change takes away what is held. */
export function concerns(change: Removal, held: Held): boolean {
  return held[subjects[change.what]] === change.id
}
