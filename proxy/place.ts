import { randomInt } from 'node:crypto'

/** Numbers of a daemon (8 bits) and of a front of it (6 bits): ids shown to clients carry them, so that a second connection finds its session. */
export interface Place {
  readonly daemon: number
  readonly front: number
}

const frontBits = 6
/** What remains of a positive 32-bit id. */
const sessionBits = 17

/** A random id of a session there, 1 to 2³¹−1. */
export function makeSessionNumber({ daemon, front }: Place): number {
  return (((daemon << frontBits) | front) << sessionBits) | randomInt(1, 2 ** sessionBits)
}

export function placeOf(sessionNumber: number): Place {
  const place = sessionNumber >>> sessionBits
  return { daemon: place >>> frontBits, front: place & (2 ** frontBits - 1) }
}
