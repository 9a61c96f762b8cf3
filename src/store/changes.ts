import type { EndReason } from '../../proxy/session.ts'

/** Something that took access away, may have, or gave it. What removes access is published before it is audited. */
export type Change =
  | {
      readonly what: 'grant' | 'principal' | 'login' | 'token' | 'resource' | 'session'
      readonly id: string
      readonly reason: EndReason
      readonly text: string
      readonly decidedAt: number
    }
  /** A grant was given, or ends later or earlier than before. */
  | {
      readonly what: 'grant-given' | 'grant-extended' | 'grant-shortened'
      readonly id: string
      /** Epoch milliseconds. */
      readonly endsAt: number
    }
  /** Rules were reloaded: live grants must match them again. */
  | { readonly what: 'rules' }
  /** Groups, manager or status of this principal changed: its grants must match again. */
  | { readonly what: 'directory'; readonly id: string }

export type ChangeListener = (change: Change) => void

/** Tells every part of this daemon, synchronously, what changed; nothing that is held by a grant hears it elsewhere. Listeners must not throw. */
export interface Changes {
  publish(change: Change): void
  subscribe(listener: ChangeListener): () => void
}

export function createChanges(): Changes {
  const listeners = new Set<ChangeListener>()
  return {
    publish: (change) => {
      for (const listener of [...listeners]) listener(change)
    },
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** A change that took something from somebody in particular. */
export type Removal = Extract<Change, { readonly reason: EndReason }>

export function isRemoval(change: Change): change is Removal {
  return 'reason' in change
}

/** Ids by which something that was given can be taken away. */
export interface Held {
  readonly sessionId: string
  readonly grantId: string
  readonly principalId: string
  /** Login or token through which it was asked for. */
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
