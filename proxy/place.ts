import { randomInt } from 'node:crypto'

/** Numbers of a daemon (8 bits) and of a front of it (6 bits): ids shown to clients carry them, so that a second connection finds its session. */
export interface Place {
  readonly daemon: number
  readonly front: number
}

const frontBits = 6
/** What remains of a positive 32-bit id. */
const sessionBits = 17

/** How many ids a front has. */
export const sessionNumbers = 2 ** sessionBits - 1

/** A random id of a session there, 1 to 2³¹−1. */
export function makeSessionNumber(place: Place): number {
  return sessionNumber(place, randomInt(1, sessionNumbers + 1))
}

/** @param number of the session at that front, 1 to {@link sessionNumbers} */
export function sessionNumber({ daemon, front }: Place, number: number): number {
  return (((daemon << frontBits) | front) << sessionBits) | number
}

export function placeOf(sessionNumber: number): Place {
  const place = sessionNumber >>> sessionBits
  return { daemon: place >>> frontBits, front: place & (2 ** frontBits - 1) }
}
