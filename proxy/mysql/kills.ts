import type { Doorman } from '../doorman.ts'
import { placeOf } from '../place.ts'
import type { ClientOrigin } from '../session.ts'
import { protocol } from './sign-in/downstream.ts'
import { type KillKind, killKey, type Threads } from './threads.ts'

/** Who asks, and where: a person kills sessions of their own. */
export interface KillAsk {
  readonly principalId: string
  readonly resourceId: string
  readonly origin: ClientOrigin
}

/**
 * Carries out KILL for a client, also at another daemon or front.
 * @returns `denied`: the session is another person's, or may not be ended from there
 */
export async function killSession(
  { doorman, threads }: { readonly doorman: Doorman; readonly threads: Threads },
  ask: KillAsk,
  number: number,
  kind: KillKind,
): Promise<'done' | 'unknown' | 'denied'> {
  const id = threads.numberOf(number, ask)
  const { daemon, front } = placeOf(id)
  const isHere = daemon === doorman.place.daemon && front === doorman.place.front
  // The doorman counts what it is asked in vain, as guesses: a number that is nobody's here is none.
  if (isHere && !threads.hasSession(id)) return 'unknown'
  if (isHere && !threads.isOf(id, ask.principalId)) return 'denied'
  const key = killKey(kind, ask.principalId)
  if (await doorman.cancel({ protocol, id, key, origin: ask.origin })) return 'done'
  return isHere ? 'denied' : 'unknown'
}
