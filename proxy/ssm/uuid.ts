import { randomUUID } from 'node:crypto'

/** Random, as the channel's ids of clients, requests and messages are. */
export function makeUuid(): string {
  return randomUUID()
}
